package shelf

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

var day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// trained is a model trained with history up to so many days after day.
func trained(t *testing.T, days int, roads ...string) model.Model {
	t.Helper()
	g := series.NewGrid(series.Score(), day, time.Hour, roads, 24*days)
	m, err := model.Persistence{}.Train(t.Context(), model.History{Grid: g}, model.Options{Horizons: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func versions(ms []model.Model) []int {
	var out []int
	for _, m := range ms {
		out = append(out, int(m.Info().Trained.Sub(day)/series.Day))
	}
	return out
}

func same(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestVersions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "models")
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Want{Step: time.Hour, Roads: []string{"a", "b"}}
	for _, days := range []int{2, 4, 1, 3, 5} {
		if err := s.Put("score", trained(t, days, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("speed", trained(t, 9, "a", "b")); err != nil {
		t.Fatal(err)
	}
	if got := versions(s.Usable("score", want)); !same(got, []int{5, 4, 3}) {
		t.Errorf("versions %v, want the three newest", got)
	}
	// What does not fit is passed over, and stays.
	for _, bad := range []model.Want{{Step: time.Minute, Roads: want.Roads}, {Step: time.Hour, Roads: []string{"a"}}} {
		if got := s.Usable("score", bad); len(got) != 0 {
			t.Errorf("%+v: %v", bad, versions(got))
		}
	}
	newest := s.path("score", trained(t, 5, "a"))
	if err := os.WriteFile(newest, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := versions(s.Usable("score", want)); !same(got, []int{4, 3}) {
		t.Errorf("with a damaged file: %v", got)
	}
	if err := s.Remove("score", trained(t, 4, "a")); err != nil {
		t.Fatal(err)
	}
	if got := versions(s.Usable("score", want)); !same(got, []int{3}) {
		t.Errorf("after one was removed: %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "score-notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := versions(s.Usable("score", want)); !same(got, []int{3}) {
		t.Errorf("beside another file: %v", got)
	}
}

func TestWithoutAFolder(t *testing.T) {
	s, err := Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m := trained(t, 1, "a")
	if s.Put("score", m) != nil || s.Remove("score", m) != nil || s.Usable("score", model.Want{}) != nil {
		t.Error("a shelf without a folder keeps something")
	}
	if _, err := Open(filepath.Join(os.DevNull, "x"), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that cannot be made was opened")
	}
}
