package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// A bookmark is how far a replay has come, so that the next start of the same files
// goes on there.
type bookmark struct {
	path string
	// Files are the absolute paths that were replayed, in the order given.
	Files []string `json:"files"`
	// Last is the newest event time that was taken over.
	Last time.Time `json:"last"`
	// Ended says that the files were replayed to their end.
	Ended bool `json:"ended"`
}

// openBookmark returns the bookmark of these files, empty when the data folder has none
// or one of other files.
func openBookmark(path string, files []string) (*bookmark, error) {
	fresh := &bookmark{path: path}
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", f, err)
		}
		fresh.Files = append(fresh.Files, abs)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read where the replay was: %w", err)
	}
	kept := &bookmark{path: path}
	if err := json.Unmarshal(text, kept); err != nil {
		return nil, fmt.Errorf("read where the replay was: %s: %w (delete the file to begin anew)", path, err)
	}
	if !slices.Equal(kept.Files, fresh.Files) {
		return fresh, nil
	}
	return kept, nil
}

// save writes the bookmark, whole or not at all.
func (b *bookmark) save() error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("keep where the replay was: %w", err)
	}
	if err := atomicfile.Write(b.path, text, 0o600); err != nil {
		return fmt.Errorf("keep where the replay was: %w", err)
	}
	return nil
}
