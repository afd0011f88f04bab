package shelf

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/atomicfile"
)

const (
	// Keep is how many versions of a channel stay.
	Keep   = 3
	ending = ".model"
	stamp  = "20060102T150405Z"
)

// A Shelf is a folder with model files.
type Shelf struct {
	dir string
	log *slog.Logger
}

// Open takes a folder, which is made when there is none; "" keeps nothing.
func Open(dir string, log *slog.Logger) (*Shelf, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("open folder of models: %w", err)
		}
	}
	return &Shelf{dir: dir, log: log}, nil
}

func (s *Shelf) path(channel string, m model.Model) string {
	return filepath.Join(s.dir, channel+"-"+m.Info().Trained.UTC().Format(stamp)+ending)
}

// Put keeps what was trained for a channel (score or speed) as a version, and removes versions that are too old.
func (s *Shelf) Put(channel string, m model.Model) error {
	if s.dir == "" {
		return nil
	}
	var content bytes.Buffer
	if err := model.Save(&content, m); err != nil {
		return err
	}
	if err := atomicfile.Write(s.path(channel, m), content.Bytes(), 0o640); err != nil {
		return fmt.Errorf("keep models of %s: %w", channel, err)
	}
	all, err := s.versions(channel)
	if err != nil {
		return err
	}
	for _, old := range all[min(Keep, len(all)):] {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old model: %w", err)
		}
	}
	return nil
}

// Remove takes a version away that turned out to be no good.
func (s *Shelf) Remove(channel string, m model.Model) error {
	if s.dir == "" {
		return nil
	}
	if err := os.Remove(s.path(channel, m)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove models of %s: %w", channel, err)
	}
	return nil
}

// Usable returns the versions that fit, newest first. The others are logged and
// left where they are, for a program or a graph that they fit.
func (s *Shelf) Usable(channel string, want model.Want) []model.Model {
	all, err := s.versions(channel)
	if err != nil {
		s.log.Warn("the folder of models cannot be read", "err", err)
		return nil
	}
	var out []model.Model
	for _, path := range all {
		m, err := load(path, want)
		if err != nil {
			s.log.Warn("a model file cannot be used; an older one or another model speaks", "file", filepath.Base(path), "err", err)
			continue
		}
		out = append(out, m)
	}
	return out
}

func load(path string, want model.Want) (model.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := model.Load(f, want)
	return m, errors.Join(err, f.Close())
}

// versions are the files of a channel, newest first.
func (s *Shelf) versions(channel string) ([]string, error) {
	if s.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), channel+"-")
		if !ok {
			continue
		}
		when, ok := strings.CutSuffix(rest, ending)
		if _, err := time.Parse(stamp, when); ok && err == nil {
			out = append(out, filepath.Join(s.dir, e.Name()))
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, nil
}
