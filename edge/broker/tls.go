package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
)

// TLS is what the second, encrypted port of a broker may be told. Its files are read again
// when they change.
type TLS struct {
	// Addr is the TCP address to listen on; empty is no such port.
	Addr string
	// CertFile and KeyFile are the broker's own, as PEM.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities (PEM) whose certificates clients may log in
	// with; the common name is the user. Empty takes no client certificates.
	ClientCAFile string
	// Required refuses clients without a certificate.
	Required bool
	// CRLFile lists certificates that must no longer be taken, DER or PEM, signed by
	// one of the authorities; clients that are connected with one are cut off. An old
	// list is used until there is a newer: edges deliver on while the centre is away.
	CRLFile string
	// CheckEvery is how often the files are looked at, and the connected clients when
	// they have changed.
	CheckEvery time.Duration
	// Role is what a client with a certificate may, unless the file of users says
	// otherwise for its name.
	Role Role
}

func (t *TLS) validate() error {
	if t.Addr == "" {
		return nil
	}
	var errs []error
	if _, _, err := net.SplitHostPort(t.Addr); err != nil {
		errs = append(errs, fmt.Errorf("tls addr: %q is not allowed: want host:port, or nothing", t.Addr))
	}
	if t.CertFile == "" || t.KeyFile == "" {
		errs = append(errs, errors.New("tls: want a certificate's file and its key's"))
	}
	if t.ClientCAFile == "" && (t.Required || t.CRLFile != "") {
		errs = append(errs, errors.New("tls: client certificates cannot be required or revoked without an authority for them: want its file"))
	}
	if t.CheckEvery <= 0 {
		errs = append(errs, fmt.Errorf("tls check every: %s is not allowed: want more than 0", t.CheckEvery))
	}
	return errors.Join(append(errs, t.Role.check("tls role"))...)
}

// A watch tells when files change.
type watch struct {
	paths  []string
	every  time.Duration
	looked time.Time
	seen   string
}

// changed reports whether the files are not what they were at the last time; it does not
// look more often than it is meant to.
func (w *watch) changed(now time.Time) bool {
	if now.Sub(w.looked) < w.every {
		return false
	}
	w.looked = now
	var seen strings.Builder
	for _, p := range w.paths {
		if info, err := os.Stat(p); err == nil {
			fmt.Fprintf(&seen, "%d %d;", info.ModTime().UnixNano(), info.Size())
		} else {
			seen.WriteString("missing;")
		}
	}
	was := w.seen
	w.seen = seen.String()
	return w.seen != was
}

// credentials are the broker's own certificate, and which of the clients' it takes.
type credentials struct {
	cfg TLS
	log *slog.Logger

	mu      sync.Mutex
	watch   watch               // guarded by mu
	config  *tls.Config         // guarded by mu
	revoked *pki.RevocationList // guarded by mu
}

// openCredentials reads the files, which all have to be good at the start.
func openCredentials(cfg TLS, log *slog.Logger) (*credentials, error) {
	c := &credentials{cfg: cfg, log: log, watch: watch{every: cfg.CheckEvery}}
	for _, p := range []string{cfg.CertFile, cfg.KeyFile, cfg.ClientCAFile, cfg.CRLFile} {
		if p != "" {
			c.watch.paths = append(c.watch.paths, p)
		}
	}
	c.watch.changed(time.Now())
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("set up TLS: %w", err)
	}
	return c, nil
}

// load reads all files. The caller holds mu, or nobody else has c yet.
func (c *credentials) load() error {
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		return err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		// A resumed session would not show its certificate again.
		SessionTicketsDisabled: true,
	}
	revoked := &pki.RevocationList{}
	if c.cfg.ClientCAFile != "" {
		text, err := os.ReadFile(c.cfg.ClientCAFile)
		if err != nil {
			return err
		}
		authorities, err := pki.ParseCertificates(text)
		if err != nil {
			return fmt.Errorf("%s: %w", c.cfg.ClientCAFile, err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		for _, a := range authorities {
			config.ClientCAs.AddCert(a)
		}
		if c.cfg.Required {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
		if revoked, err = c.readRevoked(authorities); err != nil {
			return err
		}
		config.VerifyConnection = c.verify
	}
	c.config, c.revoked = config, revoked
	return nil
}

func (c *credentials) readRevoked(authorities []*x509.Certificate) (*pki.RevocationList, error) {
	if c.cfg.CRLFile == "" {
		return &pki.RevocationList{}, nil
	}
	text, err := os.ReadFile(c.cfg.CRLFile)
	if err != nil {
		return nil, err
	}
	list, err := pki.ParseRevocationList(text, authorities)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.cfg.CRLFile, err)
	}
	if time.Now().After(list.NextUpdate) {
		c.log.Warn("the revocation list is old: what was revoked lately is still taken", "file", c.cfg.CRLFile, "next_update", list.NextUpdate)
	}
	return list, nil
}

// refresh reads the files again when they have changed; what is wrong is logged, and
// everything stays as it was.
func (c *credentials) refresh() (reloaded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.watch.changed(time.Now()) {
		return false
	}
	if err := c.load(); err != nil {
		c.log.Error("TLS goes on with the files as they were", "error", err)
		return false
	}
	c.log.Info("read the TLS files again", "revoked", c.revoked.Len())
	return true
}

// forClient is the configuration for a connection that begins now.
func (c *credentials) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config, nil
}

// isRevoked reports whether a certificate must not be taken; nil is none.
func (c *credentials) isRevoked(serial *big.Int) bool {
	if serial == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revoked.Has(serial)
}

// verify refuses revoked certificates in the handshake, where the client hears about it.
func (c *credentials) verify(s tls.ConnectionState) error {
	for _, chain := range s.VerifiedChains {
		if c.isRevoked(chain[0].SerialNumber) {
			return fmt.Errorf("the certificate of %q is revoked", chain[0].Subject.CommonName)
		}
	}
	return nil
}

// listenTLS opens the encrypted port.
func (b *Broker) listenTLS() (*port, error) {
	credentials, err := openCredentials(b.cfg.TLS, b.log)
	if err != nil {
		return nil, err
	}
	ln, err := listen(b.cfg.TLS.Addr)
	if err != nil {
		return nil, err
	}
	b.credentials = credentials
	ln = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: credentials.forClient})
	return &port{id: "tls", ln: ln, b: b, log: b.log, conns: make(map[*conn]struct{})}, nil
}

// sweep cuts off the clients whose certificates have been revoked, until the broker
// closes.
func (b *Broker) sweep() {
	tick := time.NewTicker(b.cfg.TLS.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.life.Done():
			return
		case <-tick.C:
			b.credentials.refresh()
			b.cutRevoked()
		}
	}
}

func (b *Broker) cutRevoked() {
	for _, c := range b.secure.all() {
		if who := c.who.Load(); who != nil && b.credentials.isRevoked(who.serial) {
			b.log.Warn("cut a client off: its certificate was revoked", "certificate", who.name, "remote", c.RemoteAddr().String())
			_ = c.Close() // its end is what is wanted
		}
	}
}

// all are the connections of a port.
func (p *port) all() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.conns))
}

func (p *port) clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}
