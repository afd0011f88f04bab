package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/pki"
)

// examineBroker looks whether the edge's own broker answers, or could have its port; it
// reports whether one answers.
func (r *report) examineBroker(ctx context.Context, cfg broker.Config) (running bool) {
	const name = "broker"
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	switch {
	case err == nil:
		_ = ln.Close() // it was only a question
		r.add(Warn, name, fmt.Sprintf("the port of %s is free: no edge runs here", cfg.Addr), "start it, if it should")
		return false
	case errors.Is(err, syscall.EADDRINUSE):
	default:
		r.add(Fail, name, err.Error(), "choose another address with --mqtt-addr")
		return false
	}
	client, err := connect(ctx, plainURL(cfg.Addr), dialPlain, login{id: "cityflow-doctor"})
	switch {
	case err == nil:
		client.Disconnect(0)
		r.ok(name, "answers on %s", cfg.Addr)
		return true
	case strings.Contains(err.Error(), "Not Authorized"), strings.Contains(err.Error(), "not Authorized"), strings.Contains(err.Error(), "bad user name or password"):
		r.ok(name, "answers on %s, and wants a login", cfg.Addr)
		return true
	}
	r.add(Fail, name, fmt.Sprintf("a program has the port of %s, and does not answer as a broker: %v", cfg.Addr, err),
		"stop it, or choose another address with --mqtt-addr")
	return false
}

// plainURL is where this machine reaches a listener.
func plainURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "tcp://" + net.JoinHostPort(host, port)
}

// examineBrokerTLS looks at the files of the encrypted port.
func (r *report) examineBrokerTLS(cfg broker.TLS) {
	if cfg.Addr == "" {
		return
	}
	const name = "broker's certificate"
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		r.add(Fail, name, err.Error(), "give files that belong together with --mqtt-tls-cert and --mqtt-tls-key")
	} else {
		r.expiry(name, pair.Leaf.NotAfter, "get a new one; the edge reads it without a restart")
	}
	if cfg.ClientCAFile == "" {
		return
	}
	text, err := os.ReadFile(cfg.ClientCAFile)
	if err != nil {
		r.add(Fail, "authorities of clients", err.Error(), "give a file with --mqtt-client-ca")
		return
	}
	authorities, err := pki.ParseCertificates(text)
	if err != nil {
		r.add(Fail, "authorities of clients", fmt.Sprintf("%s: %v", cfg.ClientCAFile, err), "give a file with certificates (PEM)")
		return
	}
	for _, ca := range authorities {
		r.expiry(fmt.Sprintf("authority %q", ca.Subject.CommonName), ca.NotAfter, "its clients need certificates of another one")
	}
	if cfg.CRLFile == "" {
		return
	}
	if text, err = os.ReadFile(cfg.CRLFile); err == nil {
		var list *pki.RevocationList
		if list, err = pki.ParseRevocationList(text, authorities); err == nil {
			r.examineList(list)
			return
		}
	}
	r.add(Fail, "revocation list", err.Error(), "fetch it from GET /api/edges/crl of the centre")
}

func (r *report) examineList(list *pki.RevocationList) {
	what := fmt.Sprintf("%d certificates are revoked; a newer list was due on %s", list.Len(), day(list.NextUpdate))
	if time.Now().After(list.NextUpdate) {
		r.add(Warn, "revocation list", what, "fetch it from GET /api/edges/crl of the centre: what was revoked lately is still taken")
		return
	}
	r.ok("revocation list", "%d certificates are revoked; a newer list is due by %s", list.Len(), day(list.NextUpdate))
}

// expiry judges when a certificate ends.
func (r *report) expiry(name string, notAfter time.Time, do string) {
	left := time.Until(notAfter)
	switch {
	case left <= 0:
		r.add(Fail, name, "ended on "+day(notAfter), do)
	case left < expiresSoon:
		r.add(Warn, name, "ends on "+day(notAfter), do)
	default:
		r.ok(name, "good until %s", day(notAfter))
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// examineIdentity looks at the edge's own certificate.
func (r *report) examineIdentity(s Settings) {
	const name = "edge's certificate"
	if s.Identity == nil {
		secure := strings.HasPrefix(s.Uplink.URL, "tls://") || strings.HasPrefix(s.Uplink.URL, "mqtts://") || strings.HasPrefix(s.Uplink.URL, "ssl://")
		if secure && s.Uplink.User == "" {
			r.add(Warn, name, "there is none", "ask an admin for a token and run cityflow-edge enrol")
		}
		return
	}
	notAfter := s.Identity.NotAfter()
	if left := time.Until(notAfter); left > 0 && time.Now().After(s.Identity.RenewAt().Add(24*time.Hour)) {
		r.add(Warn, name, fmt.Sprintf("%s, ends on %s, and was not renewed since %s", s.Identity.Edge(), day(notAfter), day(s.Identity.RenewAt())),
			"look into the log of the edge why "+s.Identity.Centre()+" does not renew it")
		return
	}
	r.expiry(fmt.Sprintf("%s (%s)", name, s.Identity.Edge()), notAfter, "ask an admin for a token and run cityflow-edge enrol")
}
