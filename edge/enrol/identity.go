package enrol

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/atomicfile"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// The files of an identity. identity.pem holds the key, its certificate, and those that
// signed it, in this order, as other programs take them too.
const (
	pairFile   = "identity.pem"
	centreFile = "centre.json"
)

// Dir is where an edge with this data folder keeps its identity.
func Dir(dataDir string) string { return filepath.Join(dataDir, "identity") }

// A centre is where the certificate came from and is renewed.
type centre struct {
	URL string `json:"centre"`
	// Pin is the SHA-256 of a certificate that the centre's TLS must show.
	Pin string `json:"ca_pin,omitempty"`
}

// An Identity is an edge's key and certificate. It is safe for concurrent use.
type Identity struct {
	dir    string
	centre centre

	mu   sync.Mutex
	pair tls.Certificate     // guarded by mu; Leaf is set
	ca   []*x509.Certificate // guarded by mu
}

// Open reads the identity in a folder. The error is fs.ErrNotExist when the edge was not
// enrolled.
func Open(dir string) (*Identity, error) {
	i := &Identity{dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, centreFile))
	if err == nil {
		err = json.Unmarshal(text, &i.centre)
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if err := i.load(); err != nil {
		return nil, err
	}
	return i, nil
}

// load reads the pair from its file.
func (i *Identity) load() error {
	path := filepath.Join(i.dir, pairFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read identity: %w", err)
	}
	pair, ca, err := parse(text)
	if err != nil {
		return fmt.Errorf("read identity %s: %w; enrol this edge again", path, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pair, i.ca = pair, ca
	return nil
}

func parse(text []byte) (tls.Certificate, []*x509.Certificate, error) {
	certs, err := pki.ParseCertificates(text)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	key, err := pki.ParseKey(text)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	keyText, err := pki.EncodeKey(key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pair, err := tls.X509KeyPair(pki.EncodeCertificate(certs[0].Raw), keyText)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	if len(certs) < 2 {
		return tls.Certificate{}, nil, errors.New("the certificate that signed it is missing")
	}
	return pair, certs[1:], nil
}

// current is the pair as it is now.
func (i *Identity) current() (tls.Certificate, []*x509.Certificate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pair, i.ca
}

// Edge is the name in the certificate.
func (i *Identity) Edge() traffic.EdgeID {
	pair, _ := i.current()
	return traffic.EdgeID(pair.Leaf.Subject.CommonName)
}

// NotAfter is when the certificate ends, RenewAt when it is to be renewed: after two
// thirds of its life.
func (i *Identity) NotAfter() time.Time {
	pair, _ := i.current()
	return pair.Leaf.NotAfter
}

// RenewAt is when two thirds of the certificate's life are over.
func (i *Identity) RenewAt() time.Time {
	pair, _ := i.current()
	return pair.Leaf.NotBefore.Add(pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore) * 2 / 3)
}

// Centre is the URL that the certificate came from.
func (i *Identity) Centre() string { return i.centre.URL }

// TLS is how to connect to the central broker: each connection shows the certificate that
// is current then. Nil roots verify the broker with the system's and with the authority
// that signed our certificate.
//
// A box without a battery clock wakes in 1970, when no certificate is good yet. It is
// never earlier than when ours was issued, so that is how the clock is read.
func (i *Identity) TLS(roots *x509.CertPool) *tls.Config {
	if roots == nil {
		roots = i.roots()
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots, Time: i.now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, _ := i.current()
			return &pair, nil
		},
	}
}

func (i *Identity) roots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil { // a box without any: ours is enough
		pool = x509.NewCertPool()
	}
	_, ca := i.current()
	for _, c := range ca {
		pool.AddCert(c)
	}
	return pool
}

// now is the clock's time, or when the certificate was issued if that is later.
func (i *Identity) now() time.Time {
	pair, _ := i.current()
	if now := time.Now(); now.After(pair.Leaf.NotBefore) {
		return now
	}
	return pair.Leaf.NotBefore
}

// save writes a pair and makes it the current one.
func (i *Identity) save(key, certificate, authority []byte) error {
	text := append(append(append([]byte{}, key...), certificate...), authority...)
	if _, _, err := parse(text); err != nil {
		return fmt.Errorf("the centre's answer is no good: %w", err)
	}
	if err := replace(filepath.Join(i.dir, pairFile), text); err != nil {
		return err
	}
	return i.load()
}

// replace writes a file that only its owner may read, whole or not at all.
func replace(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder of the identity: %w", err)
	}
	if err := atomicfile.Write(path, text, 0o600); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}
