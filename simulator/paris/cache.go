package paris

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// The files of the cache. The counts are in the form of the portal's exports, so
// --source replay can play them, too.
const (
	stateFile     = "paris-state.json"
	countsFile    = "paris-counts.json.gz"
	referenceFile = "paris-reference.geojson"
)

// A state is what is known from one poll to the next, and from one run to the next.
type state struct {
	// URL and Dataset are where it comes from: another portal starts anew.
	URL     string `json:"url"`
	Dataset string `json:"dataset"`
	// Polled is when the API was last asked with success.
	Polled time.Time `json:"polled"`
	Newest newest    `json:"newest"`
	// Reference is the ETag of the reference, ReferenceAt when it was asked for.
	Reference   string    `json:"reference_etag"`
	ReferenceAt time.Time `json:"reference_at"`
}

// A cache keeps state and answers in a folder; with an empty folder name it keeps
// nothing.
type cache struct{ dir string }

func (c cache) path(name string) string { return filepath.Join(c.dir, name) }

// open makes the folder.
func (c cache) open() error {
	if c.dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("make cache folder: %w", err)
	}
	return nil
}

// loadState returns what the last run knew. A state that can't be read, or of
// another portal, is as good as none.
func (c cache) loadState(cfg Config) state {
	fresh := state{URL: cfg.URL, Dataset: cfg.Dataset}
	if c.dir == "" {
		return fresh
	}
	b, err := os.ReadFile(c.path(stateFile))
	if err != nil {
		return fresh
	}
	var s state
	if json.Unmarshal(b, &s) != nil || s.URL != cfg.URL || s.Dataset != cfg.Dataset {
		return fresh
	}
	return s
}

func (c cache) saveState(s state) error {
	return c.save(stateFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return e.Encode(s)
	})
}

// saveCounts keeps the records of a window.
func (c cache) saveCounts(recs []parisfeed.Record) error {
	return c.save(countsFile, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		if err := parisfeed.WriteJSON(z, recs); err != nil {
			return err
		}
		return z.Close()
	})
}

// loadCounts returns the records that were kept, none when there are none.
func (c cache) loadCounts() ([]parisfeed.Record, error) {
	if c.dir == "" {
		return nil, nil
	}
	f, err := os.Open(c.path(countsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	recs, _, err := readRecords(z)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return recs, nil
}

// save replaces a file as a whole or not at all, also when the power goes.
func (c cache) save(name string, write func(io.Writer) error) error {
	if c.dir == "" {
		return nil
	}
	f, err := os.CreateTemp(c.dir, name+".*")
	if err != nil {
		return fmt.Errorf("write cache: %w", err)
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path(name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
		return fmt.Errorf("write cache %s: %w", c.path(name), err)
	}
	return nil
}
