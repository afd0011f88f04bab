package collector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// nowhere is an address without a broker.
const nowhere = "127.0.0.1:1"

func TestSinkContract(t *testing.T) {
	traffictest.TestSink(t, func(t *testing.T) *traffictest.Subject {
		st := newScripted()
		c := run(t, nowhere, st, nil, nil)
		s := &traffictest.Subject{Sink: c}
		s.Kept = func(*testing.T) []traffic.Reading {
			st.mu.Lock()
			defer st.mu.Unlock()
			var all []traffic.Reading
			for _, r := range st.readings {
				r.Quality &^= traffic.QualityLate | traffic.QualityStuck | traffic.QualityInconsistent // the collector's own remarks
				all = append(all, r)
			}
			return all
		}
		s.Restart = func(t *testing.T) {
			c.balanced(t)
			c.stop()
			c = run(t, nowhere, st, nil, nil)
			s.Sink = c
		}
		return s
	})
}

// A store that fails makes the caller wait; the end of its context is its answer,
// and so is the end of the collector.
func TestAcceptWhileTheStoreFails(t *testing.T) {
	st := newScripted()
	st.setFail(func(context.Context, store.Delivery) error { return errors.New("disk full") })
	c := run(t, nowhere, st, nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := c.Accept(ctx, traffictest.Readings("a", 10)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept: %v, want context.DeadlineExceeded", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- c.Accept(t.Context(), traffictest.Readings("b", 10)) }()
	time.Sleep(100 * time.Millisecond)
	c.stop() // gives up after a few seconds
	if err := <-failed; err == nil {
		t.Error("Accept said that readings are stored which are not")
	}
	if err := c.Accept(t.Context(), traffictest.Readings("c", 1)); err == nil || st.count() != 0 {
		t.Errorf("Accept after the end: %v, %d stored", err, st.count())
	}
}
