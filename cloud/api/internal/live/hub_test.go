package live

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a hub over a real store and a real bus.
type running struct {
	*Hub
	store *sqlite.Store
	bus   *inproc.Bus
}

func run(t *testing.T, cfg Config) running {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	news := inproc.New()
	log := slog.New(slog.DiscardHandler)
	h, err := New(cfg, Parts{Store: db, Bus: news, Network: network.NewCatalogue(db, log, time.Now), Now: time.Now}, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- h.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil { // t.Context ends before
			t.Error(err)
		}
		news.Close()
		db.Close()
	})
	r := running{h, db, news}
	eventually(t, "ready", func() bool { return h.Picture.Ready(t.Context()) == nil && h.Degraded(t.Context()) == nil })
	return r
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func quick() Config {
	c := Default()
	c.UpdateEvery, c.PredictionsEvery = 5*time.Millisecond, 5*time.Millisecond
	return c
}

func (r running) put(t *testing.T, states ...traffic.RoadState) {
	t.Helper()
	var d store.Delivery
	for _, s := range states {
		d.Readings = append(d.Readings, s.Reading)
	}
	if _, err := r.store.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// What was lost on the bus is read from the store.
func TestLossOnTheBusIsMended(t *testing.T) {
	r := run(t, quick())
	r.put(t, state("a", 1, 10), state("b", 1, 20)) // and nobody says so
	if err := r.store.PutPredictions(t.Context(), []traffic.Prediction{prediction("a", 1, 30, 0.5)}); err != nil {
		t.Fatal(err)
	}
	r.apply(&bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{state("c", 1, 30)}, Missed: 3})
	eventually(t, "what was missed", func() bool {
		part, err := r.Picture.States(func(traffic.RoadID) bool { return true }, "", 10)
		ps, err2 := r.Picture.Predictions(func(*traffic.Prediction) bool { return true }, PredictionKey{}, 10)
		return err == nil && err2 == nil && len(part.Items) >= 2 && len(ps.Items) == 1
	})
	if n := testutil.ToFloat64(r.metrics.missed.WithLabelValues("live")); n != 3 {
		t.Errorf("counted %g missed events", n)
	}
}

// Without a bus the store is polled, and the hub says that it is degraded.
func TestBrokenBusIsReplacedByPolling(t *testing.T) {
	cfg := quick()
	cfg.PollEvery = 20 * time.Millisecond
	r := run(t, cfg)
	r.bus.Close()
	eventually(t, "degraded", func() bool { return r.Degraded(t.Context()) != nil })
	r.put(t, state("a", 1, 10))
	eventually(t, "the reading", func() bool { _, _, ok := r.Picture.State("a"); return ok })
	eventually(t, "the metric", func() bool { return testutil.ToFloat64(r.metrics.degraded) == 1 })
}

// A forecast that JSON cannot carry spoils nothing.
func TestNumbersThatAreNone(t *testing.T) {
	p := NewPicture(unnamed, time.Now)
	nan := 0.0
	nan /= nan
	p.applyPredictions([]traffic.Prediction{prediction("a", 0, 30, nan), prediction("b", 0, 30, 0.5)})
	part, err := p.Predictions(func(*traffic.Prediction) bool { return true }, PredictionKey{}, 10)
	if err != nil || len(part.Items) != 1 {
		t.Errorf("%s %v", part.Items, err)
	}
	if err := p.applyReroutes([]traffic.Reroute{{ETAGainMin: nan}, {Route: "r"}}); err != nil {
		t.Error(err)
	}
}

// The watermark does not follow a clock that runs ahead, and never goes back.
func TestWatermark(t *testing.T) {
	p := NewPicture(unnamed, func() time.Time { return noon })
	for _, c := range []struct{ minute, want int }{{-30, -30}, {-60, -30}, {9, 9}, {11, 9}, {24 * 60, 9}} {
		p.applyRoads([]traffic.RoadState{state(fmt.Sprint(c.minute), c.minute, 1)})
		if want := noon.Add(time.Duration(c.want) * time.Minute); !p.Watermark().Equal(want) {
			t.Errorf("after minute %d: %s, want %s", c.minute, p.Watermark(), want)
		}
	}
}

// A replay at full speed: 20,000 readings a second on the roads of Paris, followed by
// some clients. What one second of it costs must be far below a second.
func BenchmarkReplaySecond(b *testing.B) {
	const roads, events, perEvent, ticks, clients = 3348, 40, 500, 4, 20
	p := NewPicture(unnamed, time.Now)
	if err := p.reconcile(p.Revision(), held{}); err != nil {
		b.Fatal(err)
	}
	views := make([]*view, clients)
	for i := range views {
		views[i] = &view{picture: p, network: func() *network.Roads { return nil }}
		views[i].subscribe(Subscription{})
	}
	n, bytes := 0, 0
	for b.Loop() {
		for e := range events {
			batch := make([]traffic.RoadState, perEvent)
			for i := range batch {
				batch[i] = state(fmt.Sprintf("PARIS-%d", n%roads), n/roads, float64(n%90))
				n++
			}
			p.applyRoads(batch)
			if e%(events/ticks) != 0 {
				continue
			}
			p.tick(true)
			for _, v := range views {
				msgs, err := v.next()
				if err != nil {
					b.Fatal(err)
				}
				for _, m := range msgs {
					bytes += len(m.text)
				}
			}
		}
	}
	b.ReportMetric(float64(bytes)/float64(b.N*clients)/1024, "KiB/client")
}
