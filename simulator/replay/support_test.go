package replay

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is after everything in the data sets.
var now = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// played is everything that a replay gave.
type played struct {
	readings []traffic.Reading
	rejected []traffic.Rejected
	stats    Stats
	roads    []traffic.Road
}

// config is the default one, at full speed.
func config(files ...string) Config {
	c := DefaultConfig()
	c.Files, c.Speed = files, "max"
	return c
}

func play(t *testing.T, cfg Config) played {
	t.Helper()
	p, err := tryPlay(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryPlay(t *testing.T, cfg Config) (played, error) {
	t.Helper()
	var p played
	s, err := Open(cfg, Deps{
		Now:        func() time.Time { return now },
		OnRejected: func(r traffic.Rejected) { p.rejected = append(p.rejected, r) },
	})
	if err != nil {
		return p, err
	}
	if p.roads, err = s.Roads(t.Context()); err != nil {
		return p, err
	}
	last := time.Time{}
	err = s.Run(t.Context(), func(_ context.Context, rs []traffic.Reading) error {
		for i := range rs {
			if rs[i].At.Before(last) {
				t.Errorf("%s comes after %s", rs[i].At, last)
			}
			last = rs[i].At
			if err := rs[i].Validate(now); err != nil {
				t.Errorf("an invalid reading was played: %v", err)
			}
		}
		p.readings = append(p.readings, rs...)
		return nil
	})
	p.stats = s.Stats()
	return p, err
}

// write makes a file of the given text.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// brief writes a reading in one line: time, sensor, speed, flow, occupancy.
func brief(r *traffic.Reading) string {
	return strings.Join([]string{
		r.At.Format("2006-01-02T15:04:05"), string(r.Sensor), r.Speed.String(), r.Flow.String(), r.Occupancy.String(),
	}, " ")
}

func briefs(rs []traffic.Reading) string {
	var b strings.Builder
	for i := range rs {
		b.WriteString(brief(&rs[i]) + "\n")
	}
	return b.String()
}

// same compares line by line, so that a failure shows the line.
func same(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = strings.TrimSpace(w[i])
		}
		if a != b {
			t.Errorf("line %d: got  %q\n        want %q", i+1, a, b)
		}
	}
}

// rejections shows what was refused, without the folder of the test.
func rejections(rs []traffic.Rejected) string {
	var b strings.Builder
	for _, r := range rs {
		b.WriteString(filepath.Base(r.Origin) + " " + string(r.Reason) + ": " + r.Detail + "\n")
	}
	return b.String()
}

// count is an Out that counts.
func count(n *int64) source.Out {
	return func(_ context.Context, rs []traffic.Reading) error {
		*n += int64(len(rs))
		return nil
	}
}
