package predictor

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// TestRunByHints runs the whole predictor on a real store and bus: readings are
// stored and hinted at, predictions come out.
func TestRunByHints(t *testing.T) {
	b := newBench(t)
	news := inproc.New()
	b.news = news
	out, err := news.Subscribe(t.Context(), bus.TopicPredictions)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()

	b.add(speed("a", at(t, "08:00"), 50), speed("a", at(t, "08:05"), 40))
	if err := news.Publish(ctx, bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{Reading: speed("a", at(t, "08:05"), 40)}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"08:05", "08:10"} { // the second one early
		e := <-out
		if len(e.Predictions) != 4 || !e.Predictions[0].At.Equal(at(t, want)) {
			t.Errorf("announced %+v, want the cycle of %s", e.Predictions, want)
		}
	}
	if err := b.Ready(ctx); err != nil {
		t.Errorf("not ready: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if err := news.Close(); err != nil {
		t.Error(err)
	}
}

// A recorder is a real store in a synctest bubble that notes when what was stored.
type recorder struct {
	*sqlite.Store
	mu    sync.Mutex
	began time.Time
	log   []stored
	gone  error
}

type stored struct {
	after time.Duration
	cycle string
}

func (r *recorder) PutPredictions(ctx context.Context, ps []traffic.Prediction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return r.gone
	}
	r.log = append(r.log, stored{time.Since(r.began), ps[len(ps)-1].At.Format("15:04")})
	return r.Store.PutPredictions(ctx, ps)
}

func (r *recorder) take() []stored {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.log
	r.log = nil
	return out
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = err
}

// inBubble runs a predictor under fake time, which begins on 1 January 2000.
func inBubble(t *testing.T, test func(t *testing.T, r *recorder, news *inproc.Bus, p *Predictor)) {
	inBubbleWith(t, func(b *inproc.Bus) News { return b }, test)
}

// inBubbleWith lets the predictor see the bus through hear.
func inBubbleWith(t *testing.T, hear func(*inproc.Bus) News, test func(t *testing.T, r *recorder, news *inproc.Bus, p *Predictor)) {
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "city.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{Store: db, began: time.Now()}
		news := inproc.New()
		p, err := New(seedOnly(), Deps{Store: r, News: hear(news)}, nil, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		test(t, r, news, p)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := errors.Join(news.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// put stores a reading of that time of the day before the bubble's clock.
func put(t *testing.T, r *recorder, clock string, kmh float64) {
	t.Helper()
	when := at(t, clock).Sub(day) + 24*time.Hour
	rd := speed("a", time.Date(1999, 12, 30, 0, 0, 0, 0, time.UTC).Add(when), kmh)
	if _, err := r.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{rd}}); err != nil {
		t.Fatal(err)
	}
}

func hint(t *testing.T, news bus.Publisher) {
	t.Helper()
	if err := news.Publish(t.Context(), bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{}}}); err != nil {
		t.Fatal(err)
	}
}

func wantStored(t *testing.T, r *recorder, want ...stored) {
	t.Helper()
	got := r.take()
	ok := len(got) == len(want)
	for i := range want {
		ok = ok && got[i].cycle == want[i].cycle && got[i].after.Round(50*time.Millisecond) == want[i].after
	}
	if !ok {
		t.Errorf("stored %v, want %v", got, want)
	}
}

func TestQuietTime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *recorder, news *inproc.Bus, _ *Predictor) {
		time.Sleep(time.Second) // the first look has found nothing
		put(t, r, "08:00", 50)
		hint(t, news)
		time.Sleep(1500 * time.Millisecond) // not quiet long enough
		put(t, r, "08:05", 50)
		hint(t, news)
		time.Sleep(10 * time.Second)
		// 08:05 by the hint at 2.5 s; 08:10 early, 2 s after it; and then only once.
		wantStored(t, r, stored{2750 * time.Millisecond, "08:05"}, stored{4750 * time.Millisecond, "08:10"})
		// News without a new watermark: the early cycle runs again, after a pause.
		put(t, r, "08:03", 20)
		hint(t, news)
		time.Sleep(10 * time.Second)
		if got := r.take(); len(got) == 0 || got[len(got)-1].cycle != "08:10" {
			t.Errorf("stored %v", got)
		}
		time.Sleep(time.Hour)
		wantStored(t, r)
	})
}

// TestPollWithoutHints: the bus never says anything.
func TestPollWithoutHints(t *testing.T) {
	hear := func(*inproc.Bus) News { return deaf{} }
	inBubbleWith(t, hear, func(t *testing.T, r *recorder, _ *inproc.Bus, p *Predictor) {
		time.Sleep(time.Second)
		put(t, r, "08:00", 50)
		put(t, r, "08:05", 50)
		time.Sleep(10 * time.Second)
		wantStored(t, r, stored{5 * time.Second, "08:05"}, stored{7 * time.Second, "08:10"})
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("a deaf bus makes it not ready: %v", err)
		}
	})
}

// deaf is a bus that is gone.
type deaf struct{}

func (deaf) Publish(context.Context, bus.Event) error { return errGone }
func (deaf) Subscribe(context.Context, ...bus.Topic) (<-chan bus.Event, error) {
	return nil, errGone
}

func TestStoreGone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *recorder, _ *inproc.Bus, p *Predictor) {
		if err := p.Ready(t.Context()); err == nil {
			t.Error("ready before the first look")
		}
		put(t, r, "08:00", 50)
		put(t, r, "08:05", 50)
		r.fail(errGone)
		time.Sleep(time.Minute)
		wantStored(t, r)
		if err := p.Ready(t.Context()); !errors.Is(err, errGone) {
			t.Errorf("readiness says %v", err)
		}
		r.fail(nil)
		time.Sleep(10 * time.Second)
		got := r.take()
		if len(got) < 2 || got[0].cycle != "08:05" || got[1].cycle != "08:10" {
			t.Errorf("stored %v after the store came back", got)
		}
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("not ready again: %v", err)
		}
	})
}
