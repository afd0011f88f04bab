package series

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2024, 3, 30, 0, 0, 0, 0, time.UTC)

// TestWindow pushes rows in any order and holds the window against a map.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const roads, depth = 2, 5
		w := NewWindow(roads, depth, time.Minute)
		seen := make(map[int][roads]float32)
		newest := -1
		for range rapid.IntRange(1, 30).Draw(t, "pushes") {
			at := max(0, newest+rapid.IntRange(-7, 9).Draw(t, "ahead"))
			row := []float32{float32(rapid.IntRange(0, 9).Draw(t, "a")), NaN()}
			if rapid.Bool().Draw(t, "inf") {
				row[1] = float32(math.Inf(1))
			}
			ok, err := w.Push(start.Add(time.Duration(at)*time.Minute), row)
			if err != nil {
				t.Fatal(err)
			}
			if want := newest < 0 || at > newest-depth; ok != want {
				t.Fatalf("push at %d with newest %d: %v", at, newest, ok)
			}
			newest = max(newest, at)
			if ok {
				seen[at] = [roads]float32{row[0], NaN()}
			}
			for k := range depth {
				want, there := seen[newest-k]
				if got := w.Lag(k); there != !Missing(got[0]) || there && got[0] != want[0] || !Missing(got[1]) {
					t.Fatalf("lag %d of %d: %v, want %v %v", k, newest, got, want, there)
				}
			}
			if got := w.Newest(); !got.Equal(start.Add(time.Duration(newest) * time.Minute)) {
				t.Fatalf("newest %s", got)
			}
		}
	})
}

func TestPushRefuses(t *testing.T) {
	w := NewWindow(2, 3, time.Minute)
	if _, err := w.Push(start, []float32{1}); err == nil {
		t.Error("a short row")
	}
	if _, err := w.Push(start.Add(time.Second), []float32{1, 2}); err == nil {
		t.Error("a moment between steps")
	}
	if !w.Newest().IsZero() {
		t.Error("a refused row moved the window")
	}
}

// TestView holds a window over a grid against one that was pushed to.
func TestView(t *testing.T) {
	g := NewGrid(Speed("km/h"), start, time.Minute, []string{"a", "b"}, 6)
	for i := range g.Values {
		g.Values[i] = float32(i)
	}
	w := NewWindow(2, 4, time.Minute)
	for s := range g.Steps() {
		if _, err := w.Push(g.Time(s), g.Row(s)); err != nil {
			t.Fatal(err)
		}
		v := g.Window(s, 4)
		for k := range 4 {
			for r, x := range w.Lag(k) {
				if y := v.Lag(k)[r]; x != y && !(Missing(x) && Missing(y)) {
					t.Errorf("step %d lag %d: %v and %v", s, k, x, y)
				}
			}
		}
		if v.Depth() != 4 || !v.Newest().Equal(w.Newest()) {
			t.Errorf("step %d: depth %d, newest %s", s, v.Depth(), v.Newest())
		}
	}
	if got := w.Gather([]int32{1, -1}, 2).Lag(1); got[0] != g.Row(4)[1] || !Missing(got[1]) {
		t.Errorf("gathered %v", got)
	}
}

func TestCalendar(t *testing.T) {
	c, err := NewCalendar("Europe/Paris", "FR")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		at      string
		weekday int
		clock   time.Duration
	}{
		{"2024-03-30T07:00:00Z", 6, 8 * time.Hour},                // winter time
		{"2024-03-31T06:00:00Z", 0, 8 * time.Hour},                // the clock was put forward
		{"2024-10-27T07:00:00Z", 0, 8 * time.Hour},                // and back
		{"2024-04-01T06:00:00Z", 0, 8 * time.Hour},                // Easter Monday
		{"2024-05-09T06:30:00Z", 0, 8*time.Hour + 30*time.Minute}, // Ascension
		{"2024-05-20T06:00:00Z", 0, 8 * time.Hour},                // Whit Monday
		{"2024-07-14T06:00:00Z", 0, 8 * time.Hour},
		{"2024-07-15T06:00:00Z", 1, 8 * time.Hour},
		{"2024-12-31T23:30:00Z", 0, 30 * time.Minute}, // New Year there already
	} {
		at, err := time.Parse(time.RFC3339, x.at)
		if err != nil {
			t.Fatal(err)
		}
		if d, clock := c.Slot(at); d != x.weekday || clock != x.clock {
			t.Errorf("%s: day %d, %s", x.at, d, clock)
		}
	}
	b, err := c.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Calendar
	if err := back.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if back.Zone != c.Zone || back.Local(start).Hour() != c.Local(start).Hour() {
		t.Errorf("came back as %+v", back)
	}
}

func TestHash(t *testing.T) {
	all := []string{"a", "b", "c"}
	g := Graph{Neighbours: [][]int32{{1}, {0, 2}, {}}}
	turned := Graph{Neighbours: [][]int32{{}, {0, 2}, {1}}}
	if g.Hash(all, all) != turned.Hash([]string{"c", "b", "a"}, all) {
		t.Error("the order of the roads counts")
	}
	if g.Hash(all, all) == (Graph{}).Hash(all, all) || g.Hash(all, all) == g.Hash(all, all[:2]) {
		t.Error("another graph, the same hash")
	}
	if (Graph{Neighbours: [][]int32{{1}, {1}}}).Validate(2) == nil {
		t.Error("a road that is its own neighbour")
	}
}
