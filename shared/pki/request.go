package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// An Enrolment is the body of POST /api/edges/enrol.
type Enrolment struct {
	// Token is what the admin was given.
	Token string `json:"token"`
	// Request is a PKCS #10 request as PEM.
	Request string `json:"csr"`
}

// A Renewal is the body of POST /api/edges/renew. TLS may end before it reaches the API,
// so it carries its own proof.
type Renewal struct {
	// Request is a PKCS #10 request for a fresh key, as PEM.
	Request string `json:"csr"`
	// Certificate is the one to be replaced, as PEM.
	Certificate string `json:"certificate"`
	// Signature is its key's, over the request: ECDSA (ASN.1) of the SHA-256 of
	// "cityflow edge renewal v1\n" and the DER of the request.
	Signature []byte `json:"signature"`
}

// A Grant answers both.
type Grant struct {
	Edge string `json:"edge_id"`
	// Certificate is the edge's, Authority those that signed it, as PEM.
	Certificate string    `json:"certificate"`
	Authority   string    `json:"ca"`
	NotAfter    time.Time `json:"not_after"`
}

// NewKey makes the key of an edge.
func NewKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

const requestType = "CERTIFICATE REQUEST"

// NewRequest is a request for a key's certificate, as PEM.
func NewRequest(key crypto.Signer) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: requestType, Bytes: der})), nil
}

// CheckRequest reads a request, which must be signed by the P-256 key that it is for.
func CheckRequest(text string) (*x509.CertificateRequest, error) {
	b, _ := pem.Decode([]byte(text))
	if b == nil || b.Type != requestType {
		return nil, errors.New("want a PKCS #10 request as PEM (CERTIFICATE REQUEST)")
	}
	req, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("want a PKCS #10 request: %w", err)
	}
	if key, ok := req.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("want the request of a P-256 key")
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the request is not signed by its own key: %w", err)
	}
	return req, nil
}

// NewRenewal asks for a certificate for the key next, in place of one whose key is old.
func NewRenewal(certificate []byte, old, next crypto.Signer) (Renewal, error) {
	text, err := NewRequest(next)
	if err != nil {
		return Renewal{}, err
	}
	b, _ := pem.Decode([]byte(text))
	signature, err := old.Sign(rand.Reader, renewalDigest(b.Bytes), crypto.SHA256)
	if err != nil {
		return Renewal{}, fmt.Errorf("sign renewal: %w", err)
	}
	return Renewal{Request: text, Certificate: string(certificate), Signature: signature}, nil
}

// Check reads a renewal and checks its proof. Whether the certificate is one of ours and
// still good is not looked at.
func (r *Renewal) Check() (*x509.CertificateRequest, *x509.Certificate, error) {
	req, err := CheckRequest(r.Request)
	if err != nil {
		return nil, nil, err
	}
	certs, err := ParseCertificates([]byte(r.Certificate))
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	old, ok := certs[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(old, renewalDigest(req.Raw), r.Signature) {
		return nil, nil, errors.New("the signature is not that of the certificate's key over the request")
	}
	return req, certs[0], nil
}

// renewalDigest has a prefix, so that nothing signed for another purpose fits.
func renewalDigest(request []byte) []byte {
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte("cityflow edge renewal v1\n"), request}, nil))
	return sum[:]
}
