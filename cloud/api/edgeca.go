package api

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
)

// OpenEdgeAuthority reads the authority that signs the certificates of edges from two PEM
// files: its certificate, which may be followed by those above it, and its key. Both
// names empty means that there is none.
func OpenEdgeAuthority(certFile, keyFile string) (*pki.Authority, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, errors.New("edge-ca-cert and edge-ca-key: only one is given: want both or neither")
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return nil, fmt.Errorf("edge-ca-cert: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("edge-ca-key: %w", err)
	}
	ca, err := pki.ParseAuthority(cert, key)
	if err != nil {
		return nil, fmt.Errorf("edge-ca-cert %s and edge-ca-key %s: %w", certFile, keyFile, err)
	}
	return ca, nil
}

// EnsureEdgeAuthority opens the authority in edge-ca.crt and edge-ca.key of a folder that
// only this process uses, and makes one where there is none yet. The certificate's file
// is what brokers trust.
func EnsureEdgeAuthority(folder string) (ca *pki.Authority, certFile string, err error) {
	certFile, keyFile := filepath.Join(folder, "edge-ca.crt"), filepath.Join(folder, "edge-ca.key")
	if _, err := os.Stat(certFile); errors.Is(err, fs.ErrNotExist) {
		if err := makeEdgeAuthority(certFile, keyFile); err != nil {
			return nil, "", fmt.Errorf("make authority of edges: %w", err)
		}
	}
	ca, err = OpenEdgeAuthority(certFile, keyFile)
	return ca, certFile, err
}

// makeEdgeAuthority writes the certificate last: what is half made is made again.
func makeEdgeAuthority(certFile, keyFile string) error {
	cert, key, err := pki.MakeAuthority("CityFlow edges", time.Now())
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(certFile+".new", cert, 0o644); err != nil { //nolint:gosec // a certificate is no secret
		return err
	}
	return os.Rename(certFile+".new", certFile)
}
