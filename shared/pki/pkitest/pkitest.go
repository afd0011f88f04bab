package pkitest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
)

// An Authority is a pki.Authority with files.
type Authority struct {
	*pki.Authority
	// CertFile and KeyFile hold it as PEM.
	CertFile, KeyFile string

	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  any
}

// New makes an authority whose files live as long as the test.
func New(t testing.TB) *Authority {
	t.Helper()
	cert, key, err := pki.MakeAuthority("CityFlow test", time.Now())
	fatal(t, err)
	a := &Authority{t: t, dir: t.TempDir()}
	a.CertFile, a.KeyFile = a.Write("ca.crt", cert), a.Write("ca.key", key)
	a.Authority, err = pki.ParseAuthority(cert, key)
	fatal(t, err)
	certs, err := pki.ParseCertificates(cert)
	fatal(t, err)
	a.cert = certs[0]
	a.key, err = pki.ParseKey(key)
	fatal(t, err)
	return a
}

// Write makes or replaces a file in the authority's folder and returns its path.
func (a *Authority) Write(name string, text []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	fatal(a.t, os.WriteFile(path+".new", text, 0o600))
	fatal(a.t, os.Rename(path+".new", path))
	return path
}

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Server makes the certificate of a server at 127.0.0.1 and localhost and returns its
// files. The name is its common name; a new certificate of the same name replaces
// the files.
func (a *Authority) Server(name string) (certFile, keyFile string) {
	a.t.Helper()
	key, err := pki.NewKey()
	fatal(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	fatal(a.t, err)
	text, err := pki.EncodeKey(key)
	fatal(a.t, err)
	return a.Write(name+".crt", pki.EncodeCertificate(der)), a.Write(name+".key", text)
}

// Client issues a certificate as an edge gets it, with its serial number.
func (a *Authority) Client(name string) (tls.Certificate, pki.Issued) {
	a.t.Helper()
	key, err := pki.NewKey()
	fatal(a.t, err)
	text, err := pki.NewRequest(key)
	fatal(a.t, err)
	req, err := pki.CheckRequest(text)
	fatal(a.t, err)
	issued, err := a.Issue(req, name, time.Now())
	fatal(a.t, err)
	keyText, err := pki.EncodeKey(key)
	fatal(a.t, err)
	pair, err := tls.X509KeyPair(issued.PEM, keyText)
	fatal(a.t, err)
	return pair, issued
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
