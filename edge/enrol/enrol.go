package enrol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
)

const (
	// callTimeout bounds one question to the centre.
	callTimeout = 30 * time.Second
	// maxAnswer bounds what the centre may say, in bytes.
	maxAnswer = 256 << 10
)

// A Request is what an admin gives to the person at the box.
type Request struct {
	// Centre is the API's base URL, such as https://city.example. Plain http is for
	// a centre on this machine only: it would show the token to everybody.
	Centre string
	// Token is the invitation's.
	Token string
	// Pin is the SHA-256 of a certificate in the chain that the centre's TLS shows,
	// in hexadecimal with or without colons; best that of its authority. It takes
	// the place of the system's authorities. Empty is without.
	Pin string
	// Dir is where to keep the identity; see Dir.
	Dir string
}

// A RefusedError is the centre's answer when it does not give a certificate.
type RefusedError struct {
	Status int
	Detail string
}

// Error is the centre's sentence.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the centre refuses (%d): %s", e.Status, e.Detail)
}

// Enrol exchanges the token for a certificate and keeps it in place of an earlier
// identity.
func Enrol(ctx context.Context, r Request) (*Identity, error) {
	at := centre{URL: strings.TrimSuffix(r.Centre, "/"), Pin: r.Pin}
	if err := at.check(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(r.Token) == "" {
		return nil, errors.New("token: empty: want the one that the admin was given")
	}
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	text, err := pki.NewRequest(key)
	if err != nil {
		return nil, err
	}
	i := &Identity{dir: r.Dir, centre: at}
	// Before the token is used up it has to be clear that the folder can be written.
	note, err := json.MarshalIndent(at, "", "  ")
	if err == nil {
		err = replace(filepath.Join(r.Dir, centreFile), append(note, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	grant, err := at.ask(ctx, "/api/edges/enrol", pki.Enrolment{Token: strings.TrimSpace(r.Token), Request: text}, nil)
	if err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", at.URL, err)
	}
	if err := i.take(key, grant); err != nil {
		return nil, fmt.Errorf("enrol at %s: %w", at.URL, err)
	}
	return i, nil
}

// Renew exchanges the certificate for its successor, with a fresh key.
func (i *Identity) Renew(ctx context.Context) error {
	pair, _ := i.current()
	old, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("renew certificate: a %T cannot sign a renewal", pair.PrivateKey)
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	in, err := pki.NewRenewal(pki.EncodeCertificate(pair.Leaf.Raw), old, key)
	if err != nil {
		return err
	}
	grant, err := i.centre.ask(ctx, "/api/edges/renew", in, i.now)
	if err == nil {
		err = i.take(key, grant)
	}
	if err != nil {
		return fmt.Errorf("renew certificate at %s: %w", i.centre.URL, err)
	}
	return nil
}

// take checks and saves what the centre granted for a key.
func (i *Identity) take(key *ecdsa.PrivateKey, grant pki.Grant) error {
	certs, err := pki.ParseCertificates([]byte(grant.Certificate))
	if err != nil {
		return fmt.Errorf("the centre's answer is no good: %w", err)
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) || pki.CheckName(certs[0].Subject.CommonName) != nil {
		return fmt.Errorf("the centre's answer is no good: the certificate of %q is not for our key or has no usable name", certs[0].Subject)
	}
	text, err := pki.EncodeKey(key)
	if err != nil {
		return err
	}
	return i.save(text, pki.EncodeCertificate(certs[0].Raw), []byte(grant.Authority))
}

// check returns an error that names what is wrong with the URL or the pin.
func (c *centre) check() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.RawQuery != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("centre: %q is not allowed: want a URL such as https://city.example", c.URL)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("centre: %q is not allowed: want https, because http would show the token to everybody on the way", c.URL)
	}
	if c.Pin == "" {
		return nil
	}
	if b, err := hex.DecodeString(plainPin(c.Pin)); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("ca-pin: %q is not allowed: want the SHA-256 of a certificate, 64 hexadecimal digits with or without colons", c.Pin)
	}
	return nil
}

func plainPin(pin string) string {
	pin = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(pin)), "sha256:")
	return strings.ReplaceAll(pin, ":", "")
}

// ask posts a question and reads a grant. A nil clock is the machine's.
func (c *centre) ask(ctx context.Context, path string, question any, clock func() time.Time) (pki.Grant, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return pki.Grant{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return pki.Grant{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: c.tls(clock), DisableKeepAlives: true}
	// A redirect would carry the token elsewhere.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return pki.Grant{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read: nothing can be lost
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return pki.Grant{}, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return pki.Grant{}, refusal(resp.StatusCode, text)
	}
	var grant pki.Grant
	if err := json.Unmarshal(text, &grant); err != nil {
		return pki.Grant{}, fmt.Errorf("read answer: %w: is this the URL of CityFlow's API?", err)
	}
	return grant, nil
}

func refusal(status int, text []byte) error {
	var problem struct{ Detail string }
	if err := json.Unmarshal(text, &problem); err != nil || problem.Detail == "" {
		problem.Detail = "is this the URL of CityFlow's API?"
	}
	return &RefusedError{Status: status, Detail: problem.Detail}
}

// tls verifies the centre with the system's authorities, or with the pin.
func (c *centre) tls(clock func() time.Time) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, Time: clock}
	if c.Pin == "" {
		return cfg
	}
	cfg.InsecureSkipVerify = true //nolint:gosec // VerifyConnection does it
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		now := time.Now()
		if clock != nil {
			now = clock()
		}
		return c.verify(s, now)
	}
	return cfg
}

// verify takes a server whose own certificate is pinned, or that has one for its name
// signed by the pinned one.
func (c *centre) verify(s tls.ConnectionState, now time.Time) error {
	want := plainPin(c.Pin)
	others := x509.NewCertPool()
	var pinned *x509.Certificate
	for n, cert := range s.PeerCertificates {
		sum := sha256.Sum256(cert.Raw)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(want)) == 1 {
			if n == 0 {
				return nil
			}
			pinned = cert
		}
		others.AddCert(cert)
	}
	if pinned == nil {
		return fmt.Errorf("none of the %d certificates that the server at %s shows has the SHA-256 %s", len(s.PeerCertificates), c.URL, c.Pin)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pinned)
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: s.ServerName, Roots: roots, Intermediates: others, CurrentTime: now,
	})
	return err
}
