package broker

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/crypto/bcrypt"
)

// An identity is who a connection speaks for.
type identity struct {
	// name is empty for a client of this machine that did not say one.
	name string
	*rights
	// serial is the number of its certificate, nil without.
	serial *big.Int
}

// A guard decides who may connect, and as whom.
type guard struct {
	cfg *Config
	log *slog.Logger
	// plain are the users of the settings.
	plain map[string][sha256.Size]byte
	// turns bounds the passwords that are hashed at once.
	turns chan struct{}
	// salt makes what remembered holds useless elsewhere.
	salt  []byte
	decoy []byte

	mu         sync.Mutex
	users      map[string]User   // guarded by mu
	watch      watch             // guarded by mu
	remembered map[string][]byte // guarded by mu: what the last good login showed, by name
}

// watchUsers is how often the file of users is looked at.
const watchUsers = time.Second

// hashers is how many passwords are hashed at once; sensors shall keep the other cores.
const hashers = 2

func newGuard(cfg *Config, log *slog.Logger) (*guard, error) {
	g := &guard{
		cfg: cfg, log: log, plain: make(map[string][sha256.Size]byte, len(cfg.Users)),
		turns: make(chan struct{}, hashers), salt: make([]byte, 32), remembered: map[string][]byte{},
	}
	_, _ = rand.Read(g.salt) // never fails since Go 1.24
	for name, password := range cfg.Users {
		g.plain[name] = sha256.Sum256([]byte(password))
	}
	if cfg.UsersFile == "" {
		return g, nil
	}
	g.watch = watch{paths: []string{cfg.UsersFile}, every: watchUsers}
	g.watch.changed(time.Now())
	var err error
	if g.users, err = readUsers(cfg.UsersFile); err != nil {
		return nil, err
	}
	if g.decoy, err = bcrypt.GenerateFromPassword(g.salt, dearest(g.users)); err != nil {
		return nil, fmt.Errorf("hash decoy password: %w", err)
	}
	return g, nil
}

// user is an entry of the file, which is read again when it has changed; a file that is
// wrong leaves the users as they were.
func (g *guard) user(name string) (User, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cfg.UsersFile != "" && g.watch.changed(time.Now()) {
		users, err := readUsers(g.cfg.UsersFile)
		if err != nil {
			g.log.Error("the users are those of before", "error", err)
		} else {
			g.users = users
			clear(g.remembered)
		}
	}
	u, ok := g.users[name]
	return u, ok
}

// A login is what a client shows.
type login struct {
	// local says that the client is on this machine.
	local    bool
	name     string
	password []byte
	// certName and serial are of its verified certificate.
	certName string
	serial   *big.Int
}

// admit returns who a client is or, in words for the log, why it is refused.
func (g *guard) admit(in login) (*identity, string) {
	switch {
	case in.certName != "":
		return g.byCertificate(in)
	case in.name != "":
		return g.byPassword(in)
	case in.local:
		return &identity{rights: RoleAll.rights("", nil, nil)}, ""
	case len(g.plain) == 0 && g.cfg.UsersFile == "":
		return nil, "no users are configured, so only clients on this machine are served: configure a user for this client"
	default:
		return nil, "clients on other machines need a user name and a password, or a certificate"
	}
}

// byCertificate is for a client whose certificate is good; a name that it says as well has to
// be the same.
func (g *guard) byCertificate(in login) (*identity, string) {
	if in.name != "" && in.name != in.certName {
		return nil, fmt.Sprintf("its certificate is for %q", in.certName)
	}
	role, u := g.cfg.TLS.Role, User{}
	if own, known := g.user(in.certName); known {
		role, u = own.Role, own
	}
	return &identity{name: in.certName, rights: role.rights(in.certName, u.Publish, u.Subscribe), serial: in.serial}, ""
}

const wrongPassword = "wrong user name or password"

func (g *guard) byPassword(in login) (*identity, string) {
	if want, known := g.plain[in.name]; known {
		got := sha256.Sum256(in.password)
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			return nil, wrongPassword
		}
		return &identity{name: in.name, rights: g.cfg.UserRole.rights(in.name, nil, nil)}, ""
	}
	if g.cfg.UsersFile == "" {
		if len(g.plain) == 0 && in.local {
			return &identity{name: in.name, rights: RoleAll.rights("", nil, nil)}, ""
		}
		return nil, wrongPassword
	}
	u, known := g.user(in.name)
	hash := []byte(u.Hash)
	if !known || u.Hash == "" {
		hash = g.decoy // the time taken does not tell which names exist
	}
	if why := g.compare(in, hash); why != "" {
		return nil, why
	}
	return &identity{name: in.name, rights: u.Role.rights(in.name, u.Publish, u.Subscribe)}, ""
}

// compare hashes a password, a bounded number at a time, and remembers what was good: a
// site whose sensors all come back at once would be busy with that for minutes.
func (g *guard) compare(in login, hash []byte) string {
	mac := hmac.New(sha256.New, g.salt)
	mac.Write(hash)
	mac.Write(in.password)
	shown := mac.Sum(nil)
	g.mu.Lock()
	good := g.remembered[in.name]
	g.mu.Unlock()
	if good != nil && hmac.Equal(good, shown) {
		return ""
	}
	wait := time.NewTimer(g.cfg.ConnectTimeout)
	defer wait.Stop()
	select {
	case g.turns <- struct{}{}:
	case <-wait.C:
		return "too many clients log in at once"
	}
	err := bcrypt.CompareHashAndPassword(hash, in.password)
	<-g.turns
	if err != nil {
		return wrongPassword
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.remembered[in.name] = shown
	return ""
}

// authenticate decides about a client that says CONNECT.
func (h *hook) authenticate(cl *mqtt.Client, pk packets.Packet) bool {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return false
	}
	in := login{local: c.local, name: string(pk.Connect.Username), password: pk.Connect.Password}
	if secure, ok := c.Conn.(*tls.Conn); ok {
		if s := secure.ConnectionState(); len(s.VerifiedChains) > 0 {
			leaf := s.PeerCertificates[0]
			in.certName, in.serial = leaf.Subject.CommonName, leaf.SerialNumber
		}
	}
	who, why := h.guard.admit(in)
	if why == "" {
		why = h.mayBe(who, cl, pk)
	}
	if why != "" {
		h.b.met.refused.WithLabelValues("auth").Inc()
		h.b.log.Warn("refused an MQTT client", "client", cl.ID, "remote", cl.Net.Remote, "user", in.name, "certificate", in.certName, "reason", why)
		return false
	}
	cl.Properties.Username = []byte(who.name)
	c.who.Store(who)
	return true
}

// mayBe refuses a last will that its sender might not publish, and the session of
// somebody else.
func (h *hook) mayBe(who *identity, cl *mqtt.Client, pk packets.Packet) string {
	if pk.Connect.WillFlag && !who.mayPublish(pk.Connect.WillTopic) {
		return fmt.Sprintf("its last will is for %q, where it may not publish", pk.Connect.WillTopic)
	}
	switch other, exists := h.b.server.Clients.Get(cl.ID); {
	case !exists:
		return ""
	case other.Net.Inline:
		return "its client identifier is the broker's own"
	case string(other.Properties.Username) != who.name:
		return fmt.Sprintf("its client identifier is that of user %q", other.Properties.Username)
	}
	return ""
}

// permits reports whether a client may publish on a topic, or hear a filter. A topic that
// is left out stands for one that the client has published on before.
func permits(cl *mqtt.Client, topic string, write bool) bool {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return true // ourselves
	}
	who := c.who.Load()
	switch {
	case who == nil:
		return false
	case write:
		return topic == "" || who.mayPublish(topic)
	default:
		return who.maySubscribe(topic)
	}
}

// sameMachine reports whether the other end of a connection is on this machine: it
// has a loopback address, or dialled one of our addresses from that very address.
func sameMachine(c net.Conn) bool {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	local, ok := c.LocalAddr().(*net.TCPAddr)
	return remote.IP.IsLoopback() || (ok && remote.IP.Equal(local.IP))
}
