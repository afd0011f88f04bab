package pki_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func key(t testing.TB) *ecdsa.PrivateKey { t.Helper(); return must(pki.NewKey())(t) }

func TestIssue(t *testing.T) {
	ca, now := pkitest.New(t), time.Now()
	k := key(t)
	// What the request asks for is not what it gets.
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "another"}, DNSNames: []string{"broker.example"},
	}, k))(t)
	req := must(pki.CheckRequest(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))))(t)
	issued := must(ca.Issue(req, "pi-7", now))(t)
	c := must(pki.ParseCertificates(issued.PEM))(t)[0]
	if c.Subject.String() != "CN=pi-7" || len(c.DNSNames) > 0 || c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("subject %s, names %v, CA %v, usage %v", c.Subject, c.DNSNames, c.IsCA, c.ExtKeyUsage)
	}
	if !k.PublicKey.Equal(c.PublicKey) || pki.Serial(c.SerialNumber) != issued.Serial || len(issued.Serial) != 32 || !c.NotAfter.Equal(issued.NotAfter) {
		t.Errorf("key, serial %s or end %s is not what was issued: %+v", pki.Serial(c.SerialNumber), c.NotAfter, issued)
	}
	if life := c.NotAfter.Sub(now); life > pki.Lifetime || life < pki.Lifetime-time.Minute {
		t.Errorf("it lives %s", life)
	}
	for about, at := range map[string]time.Time{"now": now, "an hour ago": now.Add(-59 * time.Minute), "at its end": now.Add(pki.Lifetime - time.Minute)} {
		if err := ca.Check(c, at); err != nil {
			t.Errorf("%s: %v", about, err)
		}
	}
	if ca.Check(c, now.Add(pki.Lifetime+time.Second)) == nil {
		t.Error("it is good after its end")
	}
	if pkitest.New(t).Check(c, now) == nil {
		t.Error("another authority takes it")
	}
	if _, err := ca.Issue(req, "a/b", now); err == nil {
		t.Error("a name that is no topic level was signed")
	}
	if _, err := ca.Issue(req, "pi-7", ca.NotAfter()); err == nil {
		t.Error("the authority signs after its end")
	}
	last := must(ca.Issue(req, "pi-7", ca.NotAfter().Add(-time.Hour)))(t)
	if last.NotAfter.After(ca.NotAfter()) {
		t.Error("a certificate outlives its authority")
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "Pi-7.street_3", strings.Repeat("x", 64)} {
		if err := pki.CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "+", "a/b", "#", "a b", "é", ".hidden", "-a", "a\x00", "a\n", strings.Repeat("x", 65)} {
		if err := pki.CheckName(name); err == nil || !strings.Contains(err.Error(), "letters, digits") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	good := must(pki.NewRequest(key(t)))(t)
	block, _ := pem.Decode([]byte(good))
	block.Bytes[len(block.Bytes)-1] ^= 1
	large := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	for about, text := range map[string]string{
		"nothing":         "",
		"no PEM":          "hello",
		"another block":   string(must(pki.EncodeKey(large))(t)),
		"damaged":         string(pem.EncodeToMemory(block)),
		"another curve":   must(pki.NewRequest(large))(t),
		"cut in the body": good[:len(good)/2],
	} {
		if _, err := pki.CheckRequest(text); err == nil {
			t.Errorf("%s: taken", about)
		}
	}
}

func TestRenewal(t *testing.T) {
	ca := pkitest.New(t)
	old, next := key(t), key(t)
	req := must(pki.CheckRequest(must(pki.NewRequest(old))(t)))(t)
	issued := must(ca.Issue(req, "pi-7", time.Now()))(t)
	r := must(pki.NewRenewal(issued.PEM, old, next))(t)
	got, cert, err := r.Check()
	if err != nil || !next.PublicKey.Equal(got.PublicKey) || cert.Subject.CommonName != "pi-7" {
		t.Fatalf("renewal: %v", err)
	}
	stranger := must(pki.NewRenewal(issued.PEM, next, next))(t)
	swapped := r
	swapped.Request = must(pki.NewRequest(key(t)))(t)
	empty := r
	empty.Signature = nil
	none := r
	none.Certificate = ""
	for about, bad := range map[string]pki.Renewal{
		"signed by another key": stranger, "for another request": swapped, "no signature": empty, "no certificate": none,
	} {
		if _, _, err := bad.Check(); err == nil {
			t.Errorf("%s: taken", about)
		}
	}
}

func TestRevocationList(t *testing.T) {
	ca, now := pkitest.New(t), time.Now()
	_, good := ca.Client("good")
	_, bad := ca.Client("bad")
	authorities := must(pki.ParseCertificates(ca.PEM()))(t)
	der := must(ca.RevocationList([]pki.Revoked{{Serial: bad.Serial, At: now}}, now))(t)
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for _, text := range [][]byte{der, asPEM} {
		l := must(pki.ParseRevocationList(text, authorities))(t)
		if !l.Has(number(t, bad.Serial)) || l.Has(number(t, good.Serial)) || l.Len() != 1 || l.NextUpdate.Before(now.Add(24*time.Hour)) {
			t.Errorf("list of %d until %s", l.Len(), l.NextUpdate)
		}
	}
	if new(pki.RevocationList).Has(number(t, bad.Serial)) {
		t.Error("the zero value revokes")
	}
	if _, err := pki.ParseRevocationList(der, must(pki.ParseCertificates(pkitest.New(t).PEM()))(t)); err == nil {
		t.Error("a list of another authority with the same name was believed")
	}
	if _, err := pki.ParseRevocationList(bytes.Replace(der, []byte{0x17}, []byte{0x18}, 1), authorities); err == nil {
		t.Error("a damaged list was believed")
	}
	if _, err := ca.RevocationList([]pki.Revoked{{Serial: "no"}}, now); err == nil {
		t.Error("a serial number that is none was signed")
	}
}

func number(t *testing.T, serial string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(serial, 16)
	if !ok {
		t.Fatal(serial)
	}
	return n
}

func TestAuthorityThatCannotBe(t *testing.T) {
	cert, k := must2(pki.MakeAuthority("one", time.Now()))(t)
	_, other := must2(pki.MakeAuthority("two", time.Now()))(t)
	ca := pkitest.New(t)
	_, leaf := ca.Client("leaf")
	for about, pair := range map[string][2][]byte{
		"key of another": {cert, other},
		"no key":         {cert, nil},
		"no certificate": {nil, k},
		"no CA":          {leaf.PEM, k},
		"mixed up":       {k, cert},
	} {
		if _, err := pki.ParseAuthority(pair[0], pair[1]); err == nil {
			t.Errorf("%s: taken", about)
		}
	}
	if _, err := pki.ParseAuthority(cert, k); err != nil {
		t.Error(err)
	}
}

func must2(a, b []byte, err error) func(t testing.TB) ([]byte, []byte) {
	return func(t testing.TB) ([]byte, []byte) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

// Whatever somebody sends as a renewal, it is an answer and no panic.
func FuzzRenewal(f *testing.F) {
	ca := pkitest.New(f)
	old := key(f)
	req := must(pki.CheckRequest(must(pki.NewRequest(old))(f)))(f)
	issued := must(ca.Issue(req, "pi-7", time.Now()))(f)
	r := must(pki.NewRenewal(issued.PEM, old, key(f)))(f)
	f.Add(r.Request, r.Certificate, r.Signature)
	f.Add("", "", []byte(nil))
	f.Fuzz(func(t *testing.T, request, certificate string, signature []byte) {
		in := pki.Renewal{Request: request, Certificate: certificate, Signature: signature}
		if _, c, err := in.Check(); err == nil && !bytes.Equal(c.Raw, must(pki.ParseCertificates(issued.PEM))(t)[0].Raw) {
			t.Fatal("a renewal without the key was taken")
		}
	})
}
