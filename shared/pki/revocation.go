package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// listLifetime is how long a revocation list may be used. Programs such as Mosquitto take
// nobody with an older one, so it is long enough for a weekend without the centre.
const listLifetime = 7 * 24 * time.Hour

// A Revoked is a certificate that must no longer be taken.
type Revoked struct {
	// Serial is in hexadecimal.
	Serial string
	At     time.Time
}

// RevocationList signs a list, as DER. Its number grows with the time.
func (a *Authority) RevocationList(revoked []Revoked, now time.Time) ([]byte, error) {
	template := &x509.RevocationList{
		Number: big.NewInt(now.UnixMicro()), ThisUpdate: now.Add(-backdate), NextUpdate: now.Add(listLifetime),
	}
	for _, r := range revoked {
		n, ok := new(big.Int).SetString(r.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("revocation list: serial number %q is not hexadecimal", r.Serial)
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.At})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign revocation list: %w", err)
	}
	return der, nil
}

// A RevocationList is one that was read and whose signature is good. The zero value
// revokes nothing.
type RevocationList struct {
	// NextUpdate is when there should be a newer one.
	NextUpdate time.Time
	serials    map[string]struct{}
}

// Len is the number of certificates on the list.
func (l *RevocationList) Len() int { return len(l.serials) }

// Has reports whether the certificate with this serial number is revoked.
func (l *RevocationList) Has(serial *big.Int) bool {
	_, ok := l.serials[Serial(serial)]
	return ok
}

// ParseRevocationList reads a list, DER or PEM, which one of the authorities must have
// signed.
func ParseRevocationList(text []byte, authorities []*x509.Certificate) (*RevocationList, error) {
	if b, _ := pem.Decode(text); b != nil && b.Type == "X509 CRL" {
		text = b.Bytes
	}
	crl, err := x509.ParseRevocationList(text)
	if err != nil {
		return nil, fmt.Errorf("read revocation list: %w", err)
	}
	if err := signedByOne(crl, authorities); err != nil {
		return nil, fmt.Errorf("read revocation list: %w", err)
	}
	l := &RevocationList{NextUpdate: crl.NextUpdate, serials: make(map[string]struct{}, len(crl.RevokedCertificateEntries))}
	for _, e := range crl.RevokedCertificateEntries {
		l.serials[Serial(e.SerialNumber)] = struct{}{}
	}
	return l, nil
}

func signedByOne(crl *x509.RevocationList, authorities []*x509.Certificate) error {
	err := fmt.Errorf("none of our authorities is %q, which signed it", crl.Issuer)
	for _, ca := range authorities {
		if !bytes.Equal(ca.RawSubject, crl.RawIssuer) {
			continue
		}
		if err = crl.CheckSignatureFrom(ca); err == nil {
			return nil
		}
	}
	return err
}
