package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startBroker(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.New(cfg, broker.Intake{}, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

func local() broker.Config {
	cfg := broker.Default()
	cfg.Addr = "127.0.0.1:0"
	return cfg
}

// settings of an edge whose broker runs and is the central one, too.
func settings(t *testing.T, b *broker.Broker) Settings {
	s := Settings{DataDir: t.TempDir(), BufferBytes: 1 << 20, Broker: local(), Uplink: uplink.Default(), Patience: 50 * time.Millisecond}
	s.Broker.Addr, s.Uplink.Edge = b.Addr(), "pi-7"
	return s
}

// found are the findings as they are printed.
func found(t *testing.T, s Settings) ([]Finding, string) {
	t.Helper()
	findings := Examine(t.Context(), s)
	var out bytes.Buffer
	if err := Print(&out, findings); err != nil {
		t.Fatal(err)
	}
	return findings, out.String()
}

func TestHealthyBox(t *testing.T) {
	ca := pkitest.New(t)
	cfg := local()
	cfg.TLS.Addr = "127.0.0.1:0"
	cfg.TLS.CertFile, cfg.TLS.KeyFile = ca.Server("broker")
	b := startBroker(t, cfg)
	farend.Start(t, b.Addr(), farend.AckAtOnce)
	s := settings(t, b)
	s.Patience = farend.Patience
	s.Uplink.URL = "tls://" + strings.Replace(b.TLSAddr(), "127.0.0.1", "localhost", 1)
	s.Uplink.TLS = &tls.Config{RootCAs: ca.Pool()}
	s.Uplink.User, s.Uplink.Password = "x", "y" // nobody is asked for a name here
	findings, text := found(t, s)
	for _, f := range findings {
		if f.Name != "clock" && f.Name != "disk" && f.Verdict != OK && !strings.Contains(f.Name, "TLS") {
			t.Errorf("%+v", f)
		}
	}
	for _, want := range []string{
		"ok   data folder: ", "ok   disk space: ", "ok   broker: answers on 127.0.0.1:", "ok   central broker's name: localhost is ",
		"ok   central broker's port: localhost:", "central broker's TLS: ends on ", "ok   central broker's login: welcome as pi-7",
		"ok   acknowledgements: subscribed to cityflow/edge/pi-7/ack", "ok   collector: answers after ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if entries, err := os.ReadDir(s.DataDir); err != nil || len(entries) > 0 {
		t.Errorf("the examination leaves %v behind (%v)", entries, err)
	}
}

func TestSickBox(t *testing.T) {
	users := local()
	users.Users, users.UserRole = map[string]string{"a": "right"}, broker.RoleEdge
	b, open := startBroker(t, users), startBroker(t, local())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "220 this is not MQTT")
			conn.Close()
		}
	}()
	ca := pkitest.New(t)
	secure := local()
	secure.TLS.Addr, secure.TLS.ClientCAFile, secure.TLS.Required = "127.0.0.1:0", ca.CertFile, true
	secure.TLS.CertFile, secure.TLS.KeyFile = ca.Server("broker")
	encrypted := startBroker(t, secure)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.crl")
	der, err := ca.RevocationList(nil, time.Now().Add(-30*24*time.Hour))
	if err == nil {
		err = os.WriteFile(old, der, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		about  string
		change func(*Settings)
		want   string
	}{
		{"folder is a file", func(s *Settings) { s.DataDir = filepath.Join(file, "x") }, "fail data folder: "},
		{"buffer larger than the disk", func(s *Settings) { s.BufferBytes = 1 << 60 }, "warn disk space: "},
		{"nobody on the port", func(s *Settings) { s.Broker.Addr = "127.0.0.1:0" }, "warn broker: the port of 127.0.0.1:0 is free"},
		{"somebody else on the port", func(s *Settings) { s.Broker.Addr = silent.Addr().String() }, "fail broker: a program has the port"},
		{"address of another machine", func(s *Settings) { s.Broker.Addr = "192.0.2.1:1883" }, "fail broker: "},
		{"no certificate", func(s *Settings) { s.Broker.TLS = broker.TLS{Addr: ":0", CertFile: "missing", KeyFile: "missing"} }, "fail broker's certificate: "},
		{"authority that is none", func(s *Settings) { s.Broker.TLS = secure.TLS; s.Broker.TLS.ClientCAFile = file }, "fail authorities of clients: "},
		{"list that is none", func(s *Settings) { s.Broker.TLS = secure.TLS; s.Broker.TLS.CRLFile = file }, "fail revocation list: "},
		{"old list", func(s *Settings) { s.Broker.TLS = secure.TLS; s.Broker.TLS.CRLFile = old }, "warn revocation list: 0 certificates"},
		{"not enrolled", func(s *Settings) { s.Uplink.URL = "tls://" + encrypted.TLSAddr() }, "warn edge's certificate: there is none"},
		{"no URL", func(s *Settings) { s.Uplink.URL = "::" }, "fail central broker: "},
		{"no such name", func(s *Settings) { s.Uplink.URL = "tcp://nowhere.invalid:1883" }, "fail central broker's name: "},
		{"nobody there", func(s *Settings) { s.Uplink.URL = "tcp://127.0.0.1:1" }, "fail central broker's port: "},
		{"unknown authority", func(s *Settings) { s.Uplink.URL = "tls://" + encrypted.TLSAddr() }, "with --central-ca"},
		{"certificate wanted", func(s *Settings) {
			s.Uplink.URL, s.Uplink.TLS = "tls://"+encrypted.TLSAddr(), &tls.Config{RootCAs: ca.Pool()}
		}, "run cityflow-edge enrol with an admin's token"},
		{"wrong password", func(s *Settings) {
			s.Uplink.URL, s.Uplink.User, s.Uplink.Password = "tcp://"+b.Addr(), "a", "wrong"
		}, "fail central broker's login: "},
		{"not its topics", func(s *Settings) {
			s.Uplink.URL, s.Uplink.User, s.Uplink.Password = "tcp://"+b.Addr(), "a", "right"
		}, "fail acknowledgements: "},
		{"no collector", func(s *Settings) { s.Uplink.URL = "tcp://" + open.Addr() }, "fail collector: nobody answers within 50ms"},
	} {
		s := settings(t, open)
		c.change(&s)
		findings, text := found(t, s)
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: the report lacks %q:\n%s", c.about, c.want, text)
		}
		if strings.HasPrefix(c.want, "fail") && !Failed(findings) {
			t.Errorf("%s: the report does not fail", c.about)
		}
		for _, f := range findings {
			if f.Verdict != OK && f.Do == "" {
				t.Errorf("%s: nothing to do about %+v", c.about, f)
			}
		}
	}
}

func TestExpiry(t *testing.T) {
	for want, left := range map[Verdict]time.Duration{OK: 30 * 24 * time.Hour, Warn: 20 * 24 * time.Hour, Fail: -time.Hour} {
		r := &report{}
		r.expiry("x", time.Now().Add(left), "do")
		if r.findings[0].Verdict != want {
			t.Errorf("%s left: %+v", left, r.findings[0])
		}
	}
	if pki.Lifetime/3 < expiresSoon {
		t.Error("an edge's certificate would be worth a word before it is renewed")
	}
}
