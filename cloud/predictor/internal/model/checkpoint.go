package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// saveEvery is how often a checkpoint is written, at most.
const saveEvery = 15 * time.Second

// A checkpoint is the file that a training goes on from.
type checkpoint struct {
	path  string
	State progress
	saved time.Time
}

// progress is what stands in it.
type progress struct {
	// Key names what is trained: the options, the history and the graph.
	Key string
	// Done are the weights of the networks that are finished; the other fields are of
	// the one being trained, nil when it has not begun.
	Done   [][]float32
	Params []float32
	Adam   *nn.Adam
	Best   []float32
	Loss   float64
	Since  int
}

// key names a training.
func (c MLP) key(in *inputs, g *series.Grid, seed uint64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %+v %d %+v %q %v %v %v\n", FileVersion, c, seed, in.Head.Quantity, in.Head.Roads, in.Head.Horizons, in.Head.Graph, g.Start)
	var b [4]byte
	for _, v := range g.Values {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// openCheckpoint reads a checkpoint. It is empty, and never nil, when there is no file,
// when the file is of another training, or when it cannot be read: only that is an error.
func openCheckpoint(path, key string) (*checkpoint, error) {
	empty := &checkpoint{path: path, State: progress{Key: key}}
	if path == "" {
		return empty, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, fmt.Errorf("open checkpoint: %w", err)
	}
	cp := &checkpoint{path: path, saved: time.Now()}
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&cp.State); err != nil {
		return empty, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	if cp.State.Key != key {
		return empty, fmt.Errorf("checkpoint %s is of another training", path)
	}
	return cp, nil
}

// restore puts a learner where the checkpoint was.
func (p *progress) restore(l *learner) {
	if p.Adam == nil || len(p.Params) != len(l.net.Params) {
		return
	}
	copy(l.net.Params, p.Params)
	l.adam, l.best, l.loss, l.since = p.Adam, p.Best, p.Loss, p.Since
}

// keep notes where a learner is, and saves that now and then.
func (c *checkpoint) keep(l *learner) error {
	if c.path == "" || time.Since(c.saved) < saveEvery {
		return nil
	}
	s := &c.State
	s.Params, s.Adam, s.Best, s.Loss, s.Since = l.net.Params, l.adam, l.best, l.loss, l.since
	return c.save()
}

// save writes the file whole or not at all.
func (c *checkpoint) save() error {
	if c.path == "" {
		return nil
	}
	f, err := os.Create(c.path + ".new")
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	err = gob.NewEncoder(f).Encode(&c.State)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if err := os.Rename(c.path+".new", c.path); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	c.saved = time.Now()
	return nil
}

// removeCheckpoint ends a training.
func removeCheckpoint(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return nil
}
