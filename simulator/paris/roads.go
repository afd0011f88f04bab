package paris

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// referenceAge is how long a kept reference is used without asking: arcs change a
// few times a year.
const referenceAge = 24 * time.Hour

// Roads returns the arcs with their geometry and nodes, from the reference that the
// city publishes, or from the copy of it that was kept. The error says why there is
// neither.
func (s *Source) Roads(ctx context.Context) ([]traffic.Road, error) {
	path, done, err := s.referencePath()
	if err != nil {
		return nil, err
	}
	defer done()
	st := s.known()
	kept, keptErr := importRoads(ctx, path)
	if keptErr == nil && time.Since(st.ReferenceAt) < referenceAge {
		return kept, nil
	}
	etag := st.Reference
	if keptErr != nil {
		etag = ""
	}
	roads, etag, err := s.fetchReference(ctx, path, etag)
	switch {
	case err != nil && keptErr == nil:
		s.log.Warn("the reference of the arcs can't be fetched; the kept one is used", "error", err)
		return kept, nil
	case err != nil:
		return nil, fmt.Errorf("fetch the reference of the arcs: %w", err)
	case roads == nil: // not modified
		roads = kept
	}
	s.remember(func(st *state) { st.Reference, st.ReferenceAt = etag, time.Now().UTC() })
	return roads, nil
}

// referencePath is where the reference lies: in the cache, or in a folder for this
// call, which done removes.
func (s *Source) referencePath() (path string, done func(), err error) {
	if s.cache.dir != "" {
		return s.cache.path(referenceFile), func() {}, nil
	}
	dir, err := os.MkdirTemp("", "cityflow-paris-")
	if err != nil {
		return "", nil, fmt.Errorf("make folder for the reference: %w", err)
	}
	return filepath.Join(dir, referenceFile), func() { _ = os.RemoveAll(dir) }, nil
}

// fetchReference brings the reference to path when it is a usable one. It returns
// nil roads when etag is still the newest.
func (s *Source) fetchReference(ctx context.Context, path, etag string) ([]traffic.Road, string, error) {
	part := path + ".part"
	defer os.Remove(part) //nolint:errcheck // usually renamed
	var roads []traffic.Road
	etag, fresh, err := s.client.ask(ctx, question{
		path: s.cfg.Reference + "/exports/geojson",
		etag: etag,
		read: func(body io.Reader) (err error) {
			if err := writeFile(part, body); err != nil {
				return err
			}
			roads, err = importRoads(ctx, part)
			return err
		},
	})
	if err != nil || !fresh {
		return nil, etag, err
	}
	if err := os.Rename(part, path); err != nil {
		return nil, "", fmt.Errorf("keep the reference: %w", err)
	}
	return roads, etag, nil
}

func writeFile(path string, body io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

func importRoads(ctx context.Context, path string) ([]traffic.Road, error) {
	n, _, err := roadnet.Import(ctx, path)
	if err != nil {
		return nil, err
	}
	return n.Roads, nil
}
