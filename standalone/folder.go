package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// A folder is where one CityFlow keeps everything. Copying it while the process is
// stopped is a backup.
type folder struct {
	path string
	lock *flock.Flock
}

// openFolder makes the folder where it is missing and keeps other processes out of it
// until close.
func openFolder(path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("make data folder: %w (choose another with --data-dir)", err)
	}
	f := &folder{path: path, lock: flock.New(filepath.Join(path, "lock"))}
	locked, err := f.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w (choose another with --data-dir)", path, err)
	}
	if !locked {
		return nil, fmt.Errorf("data folder %s: another cityflow is using it: stop that one, or choose another folder with --data-dir", path)
	}
	return f, nil
}

func (f *folder) close() error { return f.lock.Unlock() }

func (f *folder) database() string { return filepath.Join(f.path, "cityflow.db") }

func (f *folder) buffer() string { return filepath.Join(f.path, "buffer") }

func (f *folder) models() string { return filepath.Join(f.path, "models") }

func (f *folder) cache() string { return filepath.Join(f.path, "cache") }

func (f *folder) bookmark() string { return filepath.Join(f.path, "replay.json") }

// secretBytes is the length of the key that signs access tokens.
const secretBytes = 32

// secret returns the key that signs access tokens, made at the first start, so that
// users stay logged in over a restart.
func (f *folder) secret() ([]byte, error) {
	path := filepath.Join(f.path, "secret")
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == secretBytes:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("read %s: %d bytes, want %d: delete the file to make a new key, which logs everybody out", path, len(key), secretBytes)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read key of access tokens: %w", err)
	}
	key = make([]byte, secretBytes)
	rand.Read(key) //nolint:errcheck // crypto/rand.Read never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("write key of access tokens: %w", err)
	}
	return key, nil
}
