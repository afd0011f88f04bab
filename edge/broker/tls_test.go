package broker_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

// secure is a broker's configuration with both ports, where clients may log in with
// certificates of an authority.
func secure(t *testing.T, ca *pkitest.Authority) broker.Config {
	t.Helper()
	cfg := testConfig()
	cfg.TLS.Addr, cfg.TLS.CheckEvery = "127.0.0.1:0", 5*time.Millisecond
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Server("broker")
	cfg.TLS.ClientCAFile, cfg.TLS.Required = ca.CertFile, true
	return cfg
}

// handshake connects with TLS. With TLS 1.3 a client learns only when it reads that its
// certificate was refused.
func handshake(t *testing.T, b *broker.Broker, ca *pkitest.Authority, certs ...tls.Certificate) *client {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", b.TLSAddr(), &tls.Config{RootCAs: ca.Pool(), Certificates: certs})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, in: bufio.NewReader(conn), version: 5}
}

// refused reads until the connection ends and returns why.
func (c *client) refused() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, err := c.in.ReadByte()
	if err == nil {
		c.t.Fatal("the client gets in")
	}
	return err.Error()
}

func TestCertificatesAreLogins(t *testing.T) {
	ca := pkitest.New(t)
	b := start(t, secure(t, ca), broker.Intake{})
	pair, _ := ca.Client("loop-7")
	c := handshake(t, b, ca, pair)
	if ack := c.connect(connectOptions{id: "loop-7", version: 5}); ack.ReasonCode != 0 {
		t.Fatalf("refused with %#x", ack.ReasonCode)
	}
	c.publish("cityflow/traffic/loop-7", 1, 1, "x")
	c.expectAck(packets.Puback, 1)
	c.publish("cityflow/traffic/loop-8", 1, 2, "x")
	if pk := c.expect(packets.Puback); pk.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("publishing as another sensor: %#x", pk.ReasonCode)
	}
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 3, Filters: packets.Subscriptions{{Filter: "#"}},
	})
	if pk := c.expect(packets.Suback); pk.ReasonCodes[0] != packets.ErrNotAuthorized.Code {
		t.Errorf("subscribing to everything: %v", pk.ReasonCodes)
	}
	// The certificate decides, not what the client says.
	liar := handshake(t, b, ca, pair)
	if ack := liar.connect(connectOptions{id: "x", version: 5, user: "loop-8", password: "x"}); ack.ReasonCode == 0 {
		t.Error("a client may call itself otherwise than its certificate")
	}

	if why := handshake(t, b, ca).refused(); !strings.Contains(why, "certificate required") {
		t.Errorf("without a certificate: %s", why)
	}
	stranger, _ := pkitest.New(t).Client("loop-7")
	if why := handshake(t, b, ca, stranger).refused(); !strings.Contains(why, "certificate") {
		t.Errorf("with a stranger's certificate: %s", why)
	}
	if b.Clients() == 0 {
		t.Error("clients of the encrypted port are not counted")
	}
	dial(t, b.Addr(), connectOptions{id: "local", version: 4}) // the plain port is there, too
}

func TestRevokedClientsAreCutOff(t *testing.T) {
	ca := pkitest.New(t)
	bad, issued := ca.Client("bad")
	good, _ := ca.Client("good")
	list := func(serials ...string) {
		var revoked []pki.Revoked
		for _, s := range serials {
			revoked = append(revoked, pki.Revoked{Serial: s, At: time.Now()})
		}
		der, err := ca.RevocationList(revoked, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ca.Write("list.crl", der)
	}
	list()
	cfg := secure(t, ca)
	cfg.TLS.CRLFile = filepath.Join(filepath.Dir(ca.CertFile), "list.crl")
	b := start(t, cfg, broker.Intake{})
	connected := func(pair tls.Certificate, id string) *client {
		c := handshake(t, b, ca, pair)
		if ack := c.connect(connectOptions{id: id, version: 5}); ack.ReasonCode != 0 {
			t.Fatalf("%s is refused with %#x", id, ack.ReasonCode)
		}
		return c
	}
	victim, other := connected(bad, "bad"), connected(good, "good")
	ca.Write("list.crl", []byte("half a list")) // changes nothing
	time.Sleep(20 * time.Millisecond)
	victim.publish("traffic/data", 1, 1, "x")
	victim.expectAck(packets.Puback, 1)

	list(issued.Serial)
	victim.refused()
	if why := handshake(t, b, ca, bad).refused(); !strings.Contains(why, "certificate") {
		t.Errorf("a revoked client that comes again: %s", why)
	}
	other.publish("traffic/data", 1, 1, "x")
	other.expectAck(packets.Puback, 1)
	connected(good, "good-2")
}

func TestNewServerCertificateIsShown(t *testing.T) {
	ca := pkitest.New(t)
	cfg := secure(t, ca)
	cfg.TLS.Required = false
	b := start(t, cfg, broker.Intake{})
	shown := func() string {
		c := handshake(t, b, ca)
		defer c.conn.Close()
		return c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := shown()
	ca.Server("broker")
	for end := time.Now().Add(patience); shown() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the old certificate is still shown")
		}
	}
}

func TestPasswordsOverTLS(t *testing.T) {
	ca := pkitest.New(t)
	cfg := secure(t, ca)
	cfg.TLS.Required = false
	cfg.UsersFile = filepath.Join(t.TempDir(), "users")
	if err := broker.AddUser(cfg.UsersFile, "sign-1", "correct horse", broker.User{Role: broker.RoleSign}); err != nil {
		t.Fatal(err)
	}
	b := start(t, cfg, broker.Intake{})
	if err := b.Publish(broker.Message{Topic: "cityflow/score/R1", Payload: []byte("0.5"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	sign := handshake(t, b, ca)
	if ack := sign.connect(connectOptions{id: "sign", version: 5, user: "sign-1", password: "correct horse"}); ack.ReasonCode != 0 {
		t.Fatalf("refused with %#x", ack.ReasonCode)
	}
	sign.subscribe("cityflow/score/#", 1)
	if pk := sign.expect(packets.Publish); string(pk.Payload) != "0.5" {
		t.Errorf("the sign sees %q", pk.Payload)
	}
	sign.publish("cityflow/score/R1", 1, 1, "0")
	if pk := sign.expect(packets.Puback); pk.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("a sign publishes a score: %#x", pk.ReasonCode)
	}
	guess := handshake(t, b, ca)
	if ack := guess.connect(connectOptions{id: "guess", version: 5, user: "sign-1", password: "incorrect"}); ack.ReasonCode != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("a wrong password: %#x", ack.ReasonCode)
	}
}

// Nobody takes the session of somebody else, with what waits in it, or speaks through a
// last will where it may not publish.
func TestSessionsAndWillsOfOthers(t *testing.T) {
	cfg := testConfig()
	cfg.Users, cfg.UserRole = map[string]string{"a": "pw", "b": "pw"}, broker.RoleSensor
	b := start(t, cfg, broker.Intake{})
	dial(t, b.Addr(), connectOptions{id: "mine", version: 5, user: "a", password: "pw", keep: true})
	thief := dialRaw(t, b.Addr(), 5)
	if ack := thief.connect(connectOptions{id: "mine", version: 5, user: "b", password: "pw", keep: true}); ack.ReasonCode == 0 {
		t.Error("a session was stolen")
	}
	dial(t, b.Addr(), connectOptions{id: "mine", version: 5, user: "a", password: "pw", keep: true})

	own := dialRaw(t, b.Addr(), 5)
	if ack := own.connect(connectOptions{id: "inline", version: 5}); ack.ReasonCode == 0 {
		t.Error("the broker's own client was sent away")
	}

	for topic, want := range map[string]bool{"cityflow/traffic/a": true, "cityflow/score/R1": false} {
		c := dialRaw(t, b.Addr(), 4)
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
		pk.Connect = packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: "will " + topic[:10], Keepalive: 60,
			UsernameFlag: true, Username: []byte("a"), PasswordFlag: true, Password: []byte("pw"),
			WillFlag: true, WillTopic: topic, WillPayload: []byte("x"),
		}
		c.send(pk)
		if ack := c.expect(packets.Connack); (ack.ReasonCode == 0) != want {
			t.Errorf("a last will on %s: %#x", topic, ack.ReasonCode)
		}
	}
}

// A topic alias stands for what the client was allowed to publish on, and for nothing
// else.
func TestTopicAliases(t *testing.T) {
	cfg := testConfig()
	cfg.Users, cfg.UserRole = map[string]string{"a": "pw"}, broker.RoleSensor
	b := start(t, cfg, broker.Intake{})
	watch := dial(t, b.Addr(), connectOptions{id: "watch", version: 5})
	watch.subscribe("#", 0)
	c := dial(t, b.Addr(), connectOptions{id: "c", version: 5, user: "a", password: "pw"})
	alias := func(topic, payload string) {
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: []byte(payload)}
		pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = 1, true
		c.send(pk)
	}
	alias("cityflow/score/R1", "no")
	alias("cityflow/traffic/a", "yes")
	alias("", "again")
	for _, want := range []string{"yes", "again"} {
		if pk := watch.expect(packets.Publish); string(pk.Payload) != want || pk.TopicName != "cityflow/traffic/a" {
			t.Errorf("%s came on %s, want %s", pk.Payload, pk.TopicName, want)
		}
	}
}

func TestTLSThatCannotBe(t *testing.T) {
	ca := pkitest.New(t)
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*broker.TLS){
		"want a certificate's file": func(c *broker.TLS) { c.KeyFile = "" },
		"without an authority":      func(c *broker.TLS) { c.ClientCAFile = "" },
		`"king"`:                    func(c *broker.TLS) { c.Role = "king" },
		"check every: 0s":           func(c *broker.TLS) { c.CheckEvery = 0 },
		"no such file":              func(c *broker.TLS) { c.CRLFile = "missing" },
		junk:                        func(c *broker.TLS) { c.ClientCAFile = junk },
		"read revocation list":      func(c *broker.TLS) { c.CRLFile = junk },
		"PEM":                       func(c *broker.TLS) { c.CertFile = junk },
		"want host:port, or":        func(c *broker.TLS) { c.Addr = "nowhere" },
	} {
		cfg := secure(t, ca)
		change(&cfg.TLS)
		b, err := broker.New(cfg, broker.Intake{}, nil, prometheus.NewRegistry())
		if err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
		if err == nil {
			b.Close()
		}
	}
}
