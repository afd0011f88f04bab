package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFolderIsForOne(t *testing.T) {
	dir := t.TempDir()
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(dir); err == nil || !strings.Contains(err.Error(), "another cityflow") {
		t.Errorf("opened twice: %v", err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if f, err = openFolder(dir); err != nil {
		t.Fatalf("open again after close: %v", err)
	}
	f.close()
}

func TestSecretIsKeptAndChecked(t *testing.T) {
	f := &folder{path: t.TempDir()}
	first, err := f.secret()
	if err != nil || len(first) != secretBytes {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	if again, err := f.secret(); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the key changed over a restart: %v", err)
	}
	path := filepath.Join(f.path, "secret")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: others may read the key", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.secret(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged key: %v", err)
	}
}

func TestBookmarkBelongsToItsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "replay.json")
	mark, err := openBookmark(path, []string{"a.csv", "b.csv"})
	if err != nil || !mark.Last.IsZero() {
		t.Fatalf("%+v, %v", mark, err)
	}
	mark.Last = time.Date(2022, 3, 1, 8, 0, 0, 0, time.UTC)
	if err := mark.save(); err != nil {
		t.Fatal(err)
	}
	if again, err := openBookmark(path, []string{"a.csv", "b.csv"}); err != nil || !again.Last.Equal(mark.Last) {
		t.Errorf("the same files: %+v, %v", again, err)
	}
	if other, err := openBookmark(path, []string{"b.csv"}); err != nil || !other.Last.IsZero() {
		t.Errorf("other files: %+v, %v", other, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBookmark(path, []string{"a.csv"}); err == nil || !strings.Contains(err.Error(), "replay.json") {
		t.Errorf("a damaged bookmark: %v", err)
	}
}
