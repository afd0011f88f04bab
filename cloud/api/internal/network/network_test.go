package network_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// counting is a store that counts how often its roads are read.
type counting struct {
	*sqlite.Store
	reads atomic.Int32
}

func (c *counting) Roads(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.Road, store.Cursor, error) {
	if p.After == "" {
		c.reads.Add(1)
	}
	return c.Store.Roads(ctx, f, p)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) (*counting, *network.Catalogue, *atomic.Int64) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &counting{Store: db}
	now := &atomic.Int64{} // seconds since noon
	noon := time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)
	roads := network.NewCatalogue(c, slog.New(slog.DiscardHandler), func() time.Time { return noon.Add(time.Duration(now.Load()) * time.Second) })
	t.Cleanup(roads.Close)
	return c, roads, now
}

func put(t *testing.T, c *counting, roads ...traffic.Road) {
	t.Helper()
	if err := c.PutRoads(t.Context(), roads); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *network.Catalogue) *network.Roads {
	t.Helper()
	roads, err := c.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return roads
}

func TestRoadsAreReadAgainWhenOldOrWanted(t *testing.T) {
	db, c, now := open(t)
	if c.Current() != nil || c.Current().Label("a") != "" || c.Current().Find("a") != nil {
		t.Error("something is known before the first reading")
	}
	put(t, db, traffic.Road{ID: "b", Label: "Bee"}, traffic.Road{ID: "a"}, traffic.Road{ID: "B"})
	first := get(t, c)
	if len(first.List) != 3 || first.List[0].ID != "B" || first.List[1].ID != "a" || first.Label("b") != "Bee" || first.Label("c") != "" {
		t.Errorf("%+v", first.List)
	}
	for after, want := range map[traffic.RoadID]int{"": 0, "B": 1, "C": 1, "a": 2, "b": 3, "z": 3} {
		if got := first.After(after); got != want {
			t.Errorf("after %q: %d, want %d", after, got, want)
		}
	}
	put(t, db, traffic.Road{ID: "c"})
	now.Store(59)
	if got := get(t, c); got != first || db.reads.Load() != 1 {
		t.Errorf("read %d times within a minute", db.reads.Load())
	}
	now.Store(60)
	second := get(t, c)
	if second.Find("c") == nil || second.Version == first.Version {
		t.Error("a minute later the new road is unknown")
	}
	put(t, db, traffic.Road{ID: "d"})
	now.Store(61)
	c.Want()
	if get(t, c).Find("d") != nil {
		t.Error("read again after a second")
	}
	now.Store(62)
	if get(t, c).Find("d") == nil {
		t.Error("a wanted road was not looked for")
	}
	now.Store(200)
	if third := get(t, c); third != c.Current() || db.reads.Load() != 4 {
		t.Errorf("%d reads", db.reads.Load())
	}
}

func TestOneReadingServesAllWhoWait(t *testing.T) {
	db, c, _ := open(t)
	put(t, db, traffic.Road{ID: "a"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if roads, err := c.Get(t.Context()); err != nil || len(roads.List) != 1 {
				t.Errorf("%v %v", roads, err)
			}
		})
	}
	wg.Wait()
	if n := db.reads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

func TestStoreThatIsGoneLeavesTheRoads(t *testing.T) {
	db, c, now := open(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(gone); err == nil {
		t.Error("roads for a client that left before the first reading")
	}
	put(t, db, traffic.Road{ID: "a"})
	now.Store(100)
	first := get(t, c)
	db.Close()
	now.Store(300)
	if again := get(t, c); again != first || again.Find("a") == nil {
		t.Errorf("%+v, want the roads of before", again)
	}
	if again, err := c.Get(gone); err != nil || again != first {
		t.Errorf("%+v %v: a request waited for the store", again, err)
	}
	_, empty, _ := open(t)
	db2, empty2, _ := open(t)
	db2.Close()
	if _, err := empty2.Get(t.Context()); err == nil {
		t.Error("no error though the roads were never read")
	}
	if roads := get(t, empty); len(roads.List) != 0 {
		t.Errorf("%+v", roads.List)
	}
}

func TestClosedCatalogueKeepsItsRoads(t *testing.T) {
	db, c, now := open(t)
	put(t, db, traffic.Road{ID: "a"})
	first := get(t, c)
	c.Close()
	now.Store(1000)
	if again, err := c.Get(t.Context()); err != nil || again != first {
		t.Errorf("%+v %v", again, err)
	}
	if _, err := c.Refresh(t.Context()); err == nil || db.reads.Load() != 1 {
		t.Errorf("read after Close: %v", err)
	}
	_, empty, _ := open(t)
	empty.Close()
	if _, err := empty.Get(t.Context()); err == nil {
		t.Error("no error though the roads were never read")
	}
}

func TestFeaturesAreJSON(t *testing.T) {
	db, c, _ := open(t)
	put(t, db,
		traffic.Road{ID: `quote " and \ back`, Label: "é\u2028<b>", Lat: traffic.Some(1), Lng: traffic.Some(2)},
		traffic.Road{ID: "one point is no line", Geometry: [][]traffic.Point{{{Lat: 1, Lng: 2}}}},
	)
	for _, r := range get(t, c).List {
		for _, text := range [][]byte{r.JSON, append(r.Feature, "}}"...)} {
			var v map[string]any
			if err := json.Unmarshal(text, &v); err != nil {
				t.Errorf("%v in %s", err, text)
			}
			if g, ok := v["geometry"]; ok && g != nil && string(r.ID) == "one point is no line" {
				t.Errorf("geometry %v", g)
			}
		}
	}
}

func TestInside(t *testing.T) {
	box := &store.BBox{MinLng: 2, MinLat: 48, MaxLng: 3, MaxLat: 49}
	for _, c := range []struct {
		lat, lng float64
		want     bool
	}{{48, 2, true}, {49, 3, true}, {48.5, 2.5, true}, {47.9, 2.5, false}, {48.5, 3.1, false}, {2.5, 48.5, false}} {
		r := network.Road{Road: traffic.Road{Lat: traffic.Some(c.lat), Lng: traffic.Some(c.lng)}}
		if r.Inside(box) != c.want {
			t.Errorf("%g, %g inside: %t", c.lat, c.lng, !c.want)
		}
	}
	if (&network.Road{}).Inside(box) {
		t.Error("a road without a place is inside")
	}
}
