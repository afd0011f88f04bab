package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const (
	// Lifetime is how long a certificate of an edge is good.
	Lifetime = 90 * 24 * time.Hour
	// authorityLifetime is that of an authority that we make ourselves.
	authorityLifetime = 20 * 365 * 24 * time.Hour
	// backdate is how far the clock of an edge or a broker may be behind ours.
	backdate = time.Hour
	// MaxNameBytes is the longest common name that X.509 allows.
	MaxNameBytes = 64
)

// CheckName returns nil when a name can be a common name, one level of an MQTT topic and
// a file name alike; the error says what is allowed.
func CheckName(name string) error {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	odd := name == "" || strings.Trim(name, plain) != "" || strings.ContainsRune("._-", rune(name[0]))
	if odd || len(name) > MaxNameBytes {
		return fmt.Errorf("name of an edge: %q is not allowed: want %s", name, AllowedNames)
	}
	return nil
}

// AllowedNames describes what CheckName takes.
const AllowedNames = "1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first"

// An Authority signs certificates and revocation lists. It is safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// MakeAuthority makes a new authority: its certificate and its key, both as PEM.
func MakeAuthority(name string, now time.Time) (certificate, key []byte, err error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("sign authority: %w", err)
	}
	key, err = EncodeKey(signer)
	return EncodeCertificate(der), key, err
}

// ParseAuthority reads an authority from PEM. The certificate may be followed by those
// that signed it; the key is PKCS #8, SEC 1 or PKCS #1.
func ParseAuthority(certificate, key []byte) (*Authority, error) {
	certs, err := ParseCertificates(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of the authority: %w", err)
	}
	signer, err := ParseKey(key)
	if err != nil {
		return nil, fmt.Errorf("key of the authority: %w", err)
	}
	ca := certs[0]
	if !ca.IsCA || ca.KeyUsage&x509.KeyUsageCertSign == 0 || ca.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, fmt.Errorf("certificate of the authority: %q may not sign certificates and revocation lists: want a CA with these key usages", ca.Subject)
	}
	public, ok := ca.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(signer.Public()) {
		return nil, fmt.Errorf("key of the authority: it does not belong to the certificate of %q", ca.Subject)
	}
	a := &Authority{cert: ca, key: signer}
	for _, c := range certs {
		a.pem = append(a.pem, EncodeCertificate(c.Raw)...)
	}
	return a, nil
}

// PEM is the authority's certificate, and those above it, for whoever has to trust it.
func (a *Authority) PEM() []byte { return a.pem }

// NotAfter is when the authority ends; nothing that it signed is good for longer.
func (a *Authority) NotAfter() time.Time { return a.cert.NotAfter }

// An Issued is a new certificate.
type Issued struct {
	// PEM is the certificate alone.
	PEM []byte
	// Serial is its number in hexadecimal, as Serial writes it.
	Serial   string
	NotAfter time.Time
}

// Issue signs a certificate for the key of a checked request. The name is the caller's;
// what the request says about names is not read.
func (a *Authority) Issue(req *x509.CertificateRequest, edge string, now time.Time) (Issued, error) {
	if err := CheckName(edge); err != nil {
		return Issued{}, err
	}
	if !now.Before(a.cert.NotAfter) {
		return Issued{}, fmt.Errorf("issue certificate: the authority %q ended on %s", a.cert.Subject, a.cert.NotAfter.Format(time.DateOnly))
	}
	ends := now.Add(Lifetime)
	if ends.After(a.cert.NotAfter) {
		ends = a.cert.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: edge},
		NotBefore: now.Add(-backdate), NotAfter: ends.Truncate(time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, req.PublicKey, a.key)
	if err != nil {
		return Issued{}, fmt.Errorf("issue certificate: %w", err)
	}
	return Issued{PEM: EncodeCertificate(der), Serial: Serial(template.SerialNumber), NotAfter: template.NotAfter.UTC()}, nil
}

// Check returns nil for a certificate of an edge that this authority signed and that is
// good at now. Whether it was revoked is not looked at.
func (a *Authority) Check(c *x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err := c.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("check certificate of %q: %w", c.Subject.CommonName, err)
	}
	return nil
}

// serial is a number that nobody guesses or meets twice, always of the same length.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// Serial is a serial number in lower-case hexadecimal.
func Serial(n *big.Int) string { return n.Text(16) }

// EncodeCertificate is a certificate as PEM.
func EncodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// EncodeKey is a private key as PEM.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseCertificates reads the certificates of a PEM text, at least one; other blocks are
// passed over.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("there is none: want PEM")
	}
	return out, nil
}

// ParseKey reads the first private key of a PEM text.
func ParseKey(text []byte) (crypto.Signer, error) {
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		var key any
		var err error
		switch b.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return nil, errors.New("there is none: want PEM")
}
