package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A memory is what the file says.
type memory struct {
	// Confirmed is what was applied last and confirmed by the centre.
	Confirmed *version `json:"confirmed,omitempty"`
	// Pending is what is being tried. At a start it means that the trial failed.
	Pending *version `json:"pending,omitempty"`
	// Last is what became of the newest version.
	Last State `json:"last"`
}

// load reads the file; without one the memory is empty.
func load(path string) (m memory, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return memory{}, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &m)
	}
	if err != nil {
		return memory{}, fmt.Errorf("read settings of the centre: %w", err)
	}
	return m, nil
}

// save writes the file anew, so that a power cut leaves the old or the new one.
func (m *memory) save(path string) error {
	content, err := json.Marshal(m)
	if err == nil {
		err = replace(path, append(content, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep settings of the centre: %w", err)
	}
	return nil
}

func replace(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
