package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/shared/atomicfile"
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

// EdgeFiles are what a broker needs to take edges by their certificates.
type EdgeFiles struct {
	// Authority is the certificate of the authority (PEM), Revoked the revocation
	// list (DER), which KeepRevocationList keeps up to date.
	Authority, Revoked string
}

// EnsureEdgeAuthority opens the authority in edge-ca.crt and edge-ca.key of a folder that
// only this process uses, and makes one, with an empty revocation list, where there is
// none yet.
func EnsureEdgeAuthority(folder string) (*pki.Authority, EdgeFiles, error) {
	files := EdgeFiles{Authority: filepath.Join(folder, "edge-ca.crt"), Revoked: filepath.Join(folder, "edge-ca.crl")}
	keyFile := filepath.Join(folder, "edge-ca.key")
	if missing(files.Authority) {
		if err := makeEdgeAuthority(files.Authority, keyFile); err != nil {
			return nil, EdgeFiles{}, fmt.Errorf("make authority of edges: %w", err)
		}
	}
	ca, err := OpenEdgeAuthority(files.Authority, keyFile)
	if err != nil {
		return nil, EdgeFiles{}, err
	}
	if missing(files.Revoked) {
		list, err := ca.RevocationList(nil, time.Now())
		if err == nil {
			err = atomicfile.Write(files.Revoked, list, publicFile)
		}
		if err != nil {
			return nil, EdgeFiles{}, fmt.Errorf("make revocation list: %w", err)
		}
	}
	return ca, files, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// makeEdgeAuthority writes the certificate last: what is half made is made again.
func makeEdgeAuthority(certFile, keyFile string) error {
	cert, key, err := pki.MakeAuthority("CityFlow edges", time.Now())
	if err != nil {
		return err
	}
	if err := atomicfile.Write(keyFile, key, 0o600); err != nil {
		return err
	}
	return atomicfile.Write(certFile, cert, publicFile)
}

// publicFile is the rights of what is no secret: a broker under another user reads it.
const publicFile = 0o644

// listEvery is how often KeepRevocationList looks for what was revoked: with the few
// seconds that a broker takes to see the file it stays well below a minute.
const listEvery = 10 * time.Second

// KeepRevocationList writes the revocation list to a file, for a broker on this machine,
// whenever it has changed, until ctx ends. It returns nil.
func (a *API) KeepRevocationList(ctx context.Context, path string) error {
	tick := time.NewTicker(listEvery)
	defer tick.Stop()
	written := ""
	for {
		list, err := a.edges.RevocationList(ctx)
		if err == nil && list.Version != written {
			if err = atomicfile.Write(path, list.DER, publicFile); err == nil {
				written = list.Version
			}
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("the revocation list could not be written; trying again", "file", path, "pause", listEvery, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
