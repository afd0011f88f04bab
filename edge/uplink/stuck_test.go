package uplink

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// A stuckClient is paho's until it is told to hang: then calls do not return, as in its
// issues 328, 411, 473 and 509.
type stuckClient struct {
	mqtt.Client
	hang *atomic.Bool
	free <-chan struct{}
}

func (c *stuckClient) wait() {
	if c.hang.Load() {
		<-c.free
	}
}

func (c *stuckClient) Publish(topic string, qos byte, retained bool, payload any) mqtt.Token {
	c.wait()
	return c.Client.Publish(topic, qos, retained, payload)
}

func (c *stuckClient) Disconnect(quiesce uint) {
	c.wait()
	c.Client.Disconnect(quiesce)
}

// A client that hangs is left behind, counted, and everything arrives through a new one.
func TestStuckClient(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	free := make(chan struct{})
	var hang atomic.Bool
	cfg := Default()
	cfg.URL, cfg.Edge = "tcp://"+addr, "E1"
	cfg.StallTimeout, cfg.MinPause, cfg.MaxPause = 200*time.Millisecond, 10*time.Millisecond, 20*time.Millisecond
	cfg.ProbeTimeout = 50 * time.Millisecond
	cfg.wrap = func(c client) client {
		return &stuckClient{Client: c.(mqtt.Client), hang: &hang, free: free}
	}
	bc := buffer.Default()
	bc.Dir, bc.Edge, bc.CommitInterval = t.TempDir(), "E1", 0
	buf, err := buffer.Open(bc, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	u, err := New(cfg, buf, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	farend.Start(t, addr, farend.AckAtOnce)
	farend.WaitFor(t, "the connection", func() bool { return u.State().Connected })
	hang.Store(true)
	if err := buf.Accept(t.Context(), traffictest.Readings("s", 10)); err != nil {
		t.Fatal(err)
	}
	farend.WaitFor(t, "a client to be left", func() bool { return u.State().Stuck > 0 })
	hang.Store(false)
	farend.WaitFor(t, "the batch to be acknowledged", func() bool { return buf.Stats().Batches == 0 })
	close(free)
	farend.WaitFor(t, "the client to come back", func() bool { return u.State().Stuck == 0 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A boxClock stands still.
type boxClock struct {
	at    time.Time
	known bool
}

func (c boxClock) Now() (time.Time, bool)         { return c.at, c.known }
func (c boxClock) Learn(time.Time, time.Duration) {}

// A box without a clock connects to a broker whose certificate is newer than anything it
// knows, and to none whose certificate ended before that, or is somebody else's.
func TestTLSWithoutAClock(t *testing.T) {
	t.Parallel()
	year := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	own, pool := certificate(t, year(2030), year(2031))
	alien, _ := certificate(t, year(2030), year(2031))
	for _, c := range []struct {
		name  string
		clock boxClock
		show  tls.Certificate
		want  string
	}{
		{"valid now", boxClock{year(2030).AddDate(0, 1, 0), true}, own, ""},
		{"newer than the last known time", boxClock{year(2026), false}, own, ""},
		{"not valid yet, by a clock that is set", boxClock{year(2026), true}, own, "not yet valid"},
		{"ended before the last known time", boxClock{year(2032), false}, own, "expired"},
		{"somebody else's", boxClock{year(2026), false}, alien, "unknown authority"},
	} {
		cfg := Default()
		cfg.Clock, cfg.TLS = c.clock, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		cfg.URL = "tls://" + serveTLS(t, c.show)
		conn, err := dial(t.Context(), &cfg)
		if err == nil {
			conn.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func certificate(t *testing.T, from, to time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// serveTLS shakes hands with whoever comes, and returns the address.
func serveTLS(t *testing.T, c tls.Certificate) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).HandshakeContext(t.Context())
			conn.Close()
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}
