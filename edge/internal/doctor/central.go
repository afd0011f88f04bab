package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/wire"
)

// examineCentre goes the way that batches go, step by step, and back.
func (r *report) examineCentre(ctx context.Context, s Settings, running bool) {
	cfg := s.Uplink
	if cfg.URL == "" {
		if !running {
			r.add(Warn, "collector", "it is expected on this edge's own broker, which does not run", "start the edge, or name the central broker with --central-url")
			return
		}
		cfg.URL = plainURL(s.Broker.Addr)
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" {
		r.add(Fail, "central broker", fmt.Sprintf("%q is no URL", cfg.URL), "want tcp://host:1883 or tls://host:8883 for --central-url")
		return
	}
	secure := u.Scheme != "tcp" && u.Scheme != "mqtt"
	addr, ok := r.reach(ctx, u, secure)
	if !ok {
		return
	}
	dial := dialPlain
	if secure {
		dial = dialTLS(cfg.TLS, u.Hostname())
		if !r.handshake(ctx, addr, dial) {
			return
		}
	}
	r.talk(ctx, cfg, "tcp://"+addr, dial)
}

// reach resolves the broker's name and opens a connection to it.
func (r *report) reach(ctx context.Context, u *url.URL, secure bool) (addr string, ok bool) {
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "1883", true: "8883"}[secure]
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		r.add(Fail, "central broker's name", err.Error(), "look at the name in --central-url, and whether this box has a network and a DNS server")
		return "", false
	}
	r.ok("central broker's name", "%s is %s", u.Hostname(), strings.Join(ips, ", "))
	addr = net.JoinHostPort(u.Hostname(), port)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		r.add(Fail, "central broker's port", err.Error(), "look whether the broker runs, and whether a firewall is between")
		return "", false
	}
	_ = conn.Close() // it was only a question
	r.ok("central broker's port", "%s answers", addr)
	return addr, true
}

// A dialer opens a connection for MQTT.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

func dialPlain(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: stepTimeout}).DialContext(ctx, "tcp", addr)
}

func dialTLS(cfg *tls.Config, host string) dialer {
	own := cfg.Clone()
	if own == nil {
		own = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	own.ServerName = host
	return func(ctx context.Context, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		return (&tls.Dialer{Config: own}).DialContext(ctx, "tcp", addr)
	}
}

func (r *report) handshake(ctx context.Context, addr string, dial dialer) bool {
	const name = "central broker's TLS"
	conn, err := dial(ctx, addr)
	if err != nil {
		r.add(Fail, name, err.Error(), adviceTLS(err))
		return false
	}
	defer func() { _ = conn.Close() }() // it was only a question
	state := conn.(*tls.Conn).ConnectionState()
	r.expiry(name, state.PeerCertificates[0].NotAfter, "whoever runs the broker has to renew its certificate")
	return true
}

func adviceTLS(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "give the authority that signed the broker's certificate with --central-ca"
	case errors.As(err, &host):
		return "the certificate is for another host: use its name in --central-url, or get the broker another one"
	case errors.As(err, &invalid):
		return "look at the clock of this box; if that is right, the broker needs a new certificate"
	}
	return adviceLogin(err)
}

func adviceLogin(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "revoked"):
		return "this edge was shut out: ask an admin"
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate"), strings.Contains(text, "expired certificate"):
		return "the broker wants a good certificate: run cityflow-edge enrol with an admin's token"
	case strings.Contains(text, "user name"), strings.Contains(strings.ToLower(text), "not authorized"):
		return "look at --central-username and --central-password"
	}
	return "look at the log of the broker"
}

// A login is who a client says it is.
type login struct{ id, user, password string }

// connect logs in at a broker.
func connect(ctx context.Context, broker string, dial dialer, who login) (mqtt.Client, error) {
	o := mqtt.NewClientOptions().AddBroker(broker).SetClientID(who.id).SetProtocolVersion(4).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(stepTimeout).SetWriteTimeout(stepTimeout).
		SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			conn, err := dial(ctx, u.Host)
			if err == nil {
				err = conn.SetDeadline(time.Now().Add(4 * stepTimeout)) // whatever paho does, it ends
			}
			return conn, err
		})
	if who.user != "" {
		o.SetUsername(who.user).SetPassword(who.password)
	}
	client := mqtt.NewClient(o)
	return client, wait(client.Connect())
}

func wait(t mqtt.Token) error {
	if !t.WaitTimeout(2 * stepTimeout) {
		return fmt.Errorf("no answer within %s", 2*stepTimeout)
	}
	if sub, ok := t.(*mqtt.SubscribeToken); ok && t.Error() == nil {
		for topic, code := range sub.Result() {
			if code > 2 {
				return fmt.Errorf("the broker refuses %s", topic)
			}
		}
	}
	return t.Error()
}

// talk logs in under a name of its own, so that an agent that runs is not sent away, and
// asks for a collector.
func (r *report) talk(ctx context.Context, cfg uplink.Config, broker string, dial dialer) {
	const name = "central broker's login"
	client, err := connect(ctx, broker, dial, login{"cityflow-edge-" + string(cfg.Edge) + "-doctor", cfg.User, cfg.Password})
	if err != nil {
		r.add(Fail, name, err.Error(), adviceLogin(err))
		return
	}
	defer client.Disconnect(100)
	r.ok(name, "welcome as %s", cfg.Edge)
	topic, acks := wire.AckTopic(cfg.Edge), make(chan *wire.Ack, 16)
	err = wait(client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) {
		if ack, err := wire.DecodeAck(m.Payload()); err == nil {
			select {
			case acks <- ack:
			default: // one is enough
			}
		}
	}))
	if err != nil {
		r.add(Fail, "acknowledgements", fmt.Sprintf("cannot subscribe to %s: %v", topic, err), "let the broker's rights allow this edge "+topic)
		return
	}
	r.ok("acknowledgements", "subscribed to %s", topic)
	r.askCollector(ctx, client, cfg, acks)
}

// askCollector sends a hello, which a collector answers at once.
func (r *report) askCollector(ctx context.Context, client mqtt.Client, cfg uplink.Config, acks <-chan *wire.Ack) {
	const name = "collector"
	hello, err := wire.EncodeHello(cfg.Edge)
	if err == nil {
		err = wait(client.Publish(wire.BatchTopic(cfg.Edge), 1, false, hello))
	}
	if err != nil {
		r.add(Fail, name, fmt.Sprintf("cannot publish to %s: %v", wire.BatchTopic(cfg.Edge), err), "let the broker's rights allow this edge its topic")
		return
	}
	begin := time.Now()
	limit := time.NewTimer(r.patience)
	defer limit.Stop()
	select {
	case ack := <-acks:
		offset := time.Until(ack.ServerTime)
		r.ok(name, "answers after %s; its clock is %s ahead of this box's", round(time.Since(begin)), offset.Round(time.Millisecond))
	case <-limit.C:
		r.add(Fail, name, fmt.Sprintf("nobody answers within %s", r.patience), "look whether a collector runs at the centre and is connected to the same broker, and whether the broker's rights let it hear "+wire.BatchFilter)
	case <-ctx.Done():
		r.add(Fail, name, "the examination was ended", "")
	}
}
