package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
	"github.com/2zrhun/city-flow/shared/store"
)

func withEdgeCA(t testing.TB) option {
	ca := pkitest.New(t)
	return func(_ *api.Config, p *api.Parts) { p.EdgeCA = ca.Authority }
}

type invitation struct {
	Edge      string `json:"edge_id"`
	Label     string
	Token     string
	ExpiresAt time.Time `json:"expires_at"`
}

// invite makes an invitation as an admin does.
func (c *city) invite(token, edge string) invitation {
	c.t.Helper()
	var i invitation
	c.ask("POST", "/api/edges", map[string]string{"edge_id": edge, "label": "at the bridge"}, "Authorization", "Bearer "+token).want(201).into(&i)
	return i
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func request(t testing.TB) (string, *ecdsa.PrivateKey) {
	t.Helper()
	k := newKey(t)
	text, err := pki.NewRequest(k)
	if err != nil {
		t.Fatal(err)
	}
	return text, k
}

func TestEnrolment(t *testing.T) {
	c := start(t, withEdgeCA(t))
	admin := c.admin().Token
	i := c.invite(admin, "pi-7")
	if i.Edge != "pi-7" || i.Label != "at the bridge" || time.Until(i.ExpiresAt) < 23*time.Hour {
		t.Errorf("invitation %+v", i)
	}
	csr, _ := request(t)
	var grant pki.Grant
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: i.Token, Request: csr}).want(200).into(&grant)
	cert, err := pki.ParseCertificates([]byte(grant.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(grant.Authority))
	if _, err := cert[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if grant.Edge != "pi-7" || cert[0].Subject.CommonName != "pi-7" || !grant.NotAfter.Equal(cert[0].NotAfter) {
		t.Errorf("grant %+v for %s", grant, cert[0].Subject)
	}
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: i.Token, Request: csr}).problem(401, "unauthorized")
	for _, what := range []string{"an edge was invited", "an edge was enrolled", "an edge was not enrolled"} {
		if !strings.Contains(c.logs.String(), what) {
			t.Errorf("the log lacks %q", what)
		}
	}
	if secret := i.Token[strings.Index(i.Token, ".")+1:]; strings.Contains(c.logs.String(), secret) {
		t.Error("the log holds the token")
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	c := start(t, withEdgeCA(t))
	admin := c.admin().Token
	csr, _ := request(t)
	replaced, i := c.invite(admin, "pi-7").Token, c.invite(admin, "pi-7").Token
	other := c.invite(admin, "pi-8").Token
	selector, secret, _ := strings.Cut(i, ".")
	_, otherSecret, _ := strings.Cut(other, ".")
	expired := "old.secret"
	err := c.store.InviteEdge(t.Context(), store.EdgeInvitation{
		Edge: "pi-9", Selector: "old", SecretHash: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", ExpiresAt: time.Now().Add(-time.Second),
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for about, token := range map[string]string{
		"replaced": replaced, "no secret": selector, "empty secret": selector + ".", "the other way round": secret + "." + selector,
		"secret of another": selector + "." + otherSecret, "expired": expired, "nonsense": "x", "more than the secret": i + "x",
	} {
		p := c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: token, Request: csr}).problem(401, "unauthorized")
		if !strings.Contains(p.Detail, "ask an admin for a new one") {
			t.Errorf("%s: %s", about, p.Detail)
		}
	}
	// A request that is wrong does not cost the token.
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: i, Request: "hello"}).problem(400, "bad-body")
	c.ask("POST", "/api/edges/enrol", map[string]string{"token": i}).problem(400, "bad-body")
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: i, Request: csr}).want(200)
}

func TestRenewalAndRevocation(t *testing.T) {
	c := start(t, withEdgeCA(t))
	admin := c.admin().Token
	csr, key := request(t)
	var first, second pki.Grant
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: c.invite(admin, "pi-7").Token, Request: csr}).want(200).into(&first)
	next := newKey(t)
	renewal := func(grant pki.Grant, old *ecdsa.PrivateKey) pki.Renewal {
		r, err := pki.NewRenewal([]byte(grant.Certificate), old, next)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	c.ask("POST", "/api/edges/renew", renewal(first, next)).problem(400, "bad-body") // signed by the wrong key
	c.ask("POST", "/api/edges/renew", renewal(first, key)).want(200).into(&second)
	if second.Edge != "pi-7" || second.Certificate == first.Certificate {
		t.Errorf("renewed %+v", second)
	}
	stranger, issued := pkitest.New(t).Client("pi-7")
	c.ask("POST", "/api/edges/renew", renewal(pki.Grant{Certificate: string(issued.PEM)}, stranger.PrivateKey.(*ecdsa.PrivateKey))).problem(403, "forbidden")

	if got := c.revoked(t, first); len(got) != 0 {
		t.Errorf("revoked before the revocation: %v", got)
	}
	c.ask("POST", "/api/edges/nobody/revoke", nil, "Authorization", "Bearer "+admin).want(404)
	c.ask("POST", "/api/edges/pi-7/revoke", nil, "Authorization", "Bearer "+admin).want(204)
	got := c.revoked(t, first)
	for _, grant := range []pki.Grant{first, second} {
		certs, _ := pki.ParseCertificates([]byte(grant.Certificate))
		if !slices.ContainsFunc(got, func(n *big.Int) bool { return n.Cmp(certs[0].SerialNumber) == 0 }) {
			t.Errorf("a certificate is not on the list %v", got)
		}
	}
	if p := c.ask("POST", "/api/edges/renew", renewal(second, next)).problem(403, "forbidden"); !strings.Contains(p.Detail, "revoked") {
		t.Error(p.Detail)
	}
	var list struct{ Data []map[string]any }
	c.get("/api/edges", admin).want(200).into(&list)
	if len(list.Data) != 1 || list.Data[0]["edge_id"] != "pi-7" || list.Data[0]["revoked_at"] == nil || list.Data[0]["not_after"] == nil {
		t.Errorf("edges %v", list.Data)
	}
	// Invited again, it is back.
	csr, _ = request(t)
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: c.invite(admin, "pi-7").Token, Request: csr}).want(200)
}

// revoked reads the revocation list as a broker does.
func (c *city) revoked(t *testing.T, grant pki.Grant) []*big.Int {
	t.Helper()
	a := c.get("/api/edges/crl", "").want(200)
	if a.header.Get("Content-Type") != "application/pkix-crl" {
		t.Errorf("content type %s", a.header.Get("Content-Type"))
	}
	crl, err := x509.ParseRevocationList(a.body)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.ParseCertificates([]byte(grant.Authority))
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(ca[0]); err != nil {
		t.Error(err)
	}
	c.get("/api/edges/crl", "", "If-None-Match", a.header.Get("ETag")).want(304)
	var out []*big.Int
	for _, e := range crl.RevokedCertificateEntries {
		out = append(out, e.SerialNumber)
	}
	return out
}

func TestInvitationsThatAreRefused(t *testing.T) {
	c := start(t, withEdgeCA(t))
	admin := c.admin().Token
	for _, name := range []string{"", "a/b", "+", "..", strings.Repeat("x", 65)} {
		p := c.ask("POST", "/api/edges", map[string]string{"edge_id": name}, "Authorization", "Bearer "+admin).problem(400, "bad-parameter")
		if p.Parameter != "edge_id" || !strings.Contains(p.Allowed, "letters") {
			t.Errorf("%q: %+v", name, p)
		}
	}
	p := c.ask("POST", "/api/edges", map[string]string{"edge_id": "a", "label": strings.Repeat("é", 201)}, "Authorization", "Bearer "+admin).problem(400, "bad-parameter")
	if p.Parameter != "label" {
		t.Errorf("%+v", p)
	}
	c.ask("POST", "/api/edges", map[string]string{"edge_id": "a"}, "Authorization", "Bearer "+c.viewer("eve").Token).problem(403, "forbidden")
}

func TestEnrolmentWithoutAnAuthority(t *testing.T) {
	c := start(t)
	admin := c.admin().Token
	csr, _ := request(t)
	for _, a := range []answer{
		c.ask("POST", "/api/edges", map[string]string{"edge_id": "a"}, "Authorization", "Bearer "+admin),
		c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: "a.b", Request: csr}),
		c.get("/api/edges/crl", ""),
	} {
		if p := a.problem(404, "not-found"); !strings.Contains(p.Detail, "edge-ca-cert") {
			t.Error(p.Detail)
		}
	}
	c.get("/api/edges", admin).want(200)
}

func TestEnrolmentIsLimited(t *testing.T) {
	c := start(t, withEdgeCA(t), func(cfg *api.Config, _ *api.Parts) { cfg.AuthPerMinute = 3 })
	csr, _ := request(t)
	limited := 0
	for range 5 {
		if c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: "a.b", Request: csr}).status == 429 {
			limited++
		}
	}
	if limited != 2 {
		t.Errorf("%d of 5 guesses were refused, want 2", limited)
	}
	c.ask("POST", "/api/auth/login", login(adminEmail, "x")).want(401) // a quota of its own
}

// listed is how many certificates a broker finds on a list.
func listed(t *testing.T, ca *pki.Authority, path string) int {
	t.Helper()
	authorities, err := pki.ParseCertificates(ca.PEM())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := pki.ParseRevocationList(text, authorities)
	if err != nil {
		t.Fatal(err)
	}
	return l.Len()
}

// A broker beside the API finds in a file what was revoked.
func TestKeepRevocationList(t *testing.T) {
	ca, files, err := api.EnsureEdgeAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, func(_ *api.Config, p *api.Parts) { p.EdgeCA = ca })
	admin := c.admin().Token
	csr, _ := request(t)
	c.ask("POST", "/api/edges/enrol", pki.Enrolment{Token: c.invite(admin, "pi-7").Token, Request: csr}).want(200)
	c.ask("POST", "/api/edges/pi-7/revoke", nil, "Authorization", "Bearer "+admin).want(204)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.api.KeepRevocationList(ctx, files.Revoked) }()
	c.eventually("the list", func() bool { return listed(t, ca, files.Revoked) == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestEdgeAuthorityFiles(t *testing.T) {
	dir := t.TempDir()
	made, files, err := api.EnsureEdgeAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := api.EnsureEdgeAuthority(dir)
	if err != nil || string(again.PEM()) != string(made.PEM()) {
		t.Errorf("another start gives another authority (%v)", err)
	}
	keyFile := filepath.Join(dir, "edge-ca.key")
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v %v", info, err)
	}
	if n := listed(t, made, files.Revoked); n != 0 {
		t.Errorf("the first list has %d certificates", n)
	}
	if none, err := api.OpenEdgeAuthority("", ""); none != nil || err != nil {
		t.Errorf("nothing: %v %v", none, err)
	}
	for want, files := range map[string][2]string{
		"only one is given": {files.Authority, ""}, "edge-ca-key": {files.Authority, files.Authority}, "edge-ca-cert": {"missing", keyFile},
	} {
		if _, err := api.OpenEdgeAuthority(files[0], files[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", files, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "edge-ca.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.EnsureEdgeAuthority(dir); err == nil {
		t.Error("a damaged authority was replaced: its edges would be lost")
	}
}
