package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// publishFunc is a bus as the test wants it.
type publishFunc func(ctx context.Context, e bus.Event) error

func (f publishFunc) Publish(ctx context.Context, e bus.Event) error { return f(ctx, e) }

func stateAt(minute int) []traffic.RoadState {
	return []traffic.RoadState{{Reading: traffic.Reading{Road: "r", At: now().Add(time.Duration(minute) * time.Minute)}}}
}

// live offers never wait, and what a hanging bus missed is merged to the newest.
func TestLiveMergesWhileTheBusHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		hangs.Store(true)
		var got []bus.Event
		var n atomic.Int64
		l := newLive(publishFunc(func(ctx context.Context, e bus.Event) error {
			if hangs.Load() {
				<-ctx.Done()
				return ctx.Err()
			}
			got = append(got, e)
			return nil
		}), slog.New(slog.DiscardHandler), newMetrics(prometheus.NewRegistry(), &n, &n))
		done := make(chan struct{})
		go l.run(t.Context(), done)

		began := time.Now()
		for _, minute := range []int{0, 2, 1} { // the last is late
			l.offer(stateAt(minute))
			synctest.Wait()
		}
		if time.Since(began) != 0 {
			t.Errorf("offering took %v", time.Since(began))
		}
		time.Sleep(liveTimeout)
		hangs.Store(false)
		time.Sleep(livePause)
		synctest.Wait()
		if len(got) != 1 || len(got[0].Roads) != 1 || !got[0].Roads[0].At.Equal(now().Add(2*time.Minute)) {
			t.Errorf("published %+v, want the newest state once", got)
		}
		l.offer(stateAt(3))
		close(done)
		synctest.Wait()
		if last := got[len(got)-1]; !last.Roads[0].At.Equal(now().Add(3 * time.Minute)) {
			t.Errorf("the last state was not published at the end: %+v", last)
		}
	})
}

func TestLivePutBackKeepsTheNewer(t *testing.T) {
	var n atomic.Int64
	l := newLive(publishFunc(func(context.Context, bus.Event) error { return errors.New("gone") }),
		slog.New(slog.DiscardHandler), newMetrics(prometheus.NewRegistry(), &n, &n))
	l.offer(stateAt(1))
	taken := l.take()
	l.offer(stateAt(2))
	l.putBack(taken)
	if s := l.take(); len(s) != 1 || !s[0].At.Equal(now().Add(2*time.Minute)) {
		t.Errorf("%+v waits, want the newer state", s)
	}
}
