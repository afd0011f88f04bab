package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/2zrhun/city-flow/shared/atomicfile"
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
		err = atomicfile.Write(path, append(content, '\n'), 0o640)
	}
	if err != nil {
		return fmt.Errorf("keep settings of the centre: %w", err)
	}
	return nil
}
