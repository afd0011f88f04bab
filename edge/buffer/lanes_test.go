package buffer

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// Batches written before a moment and after it, over several segments.
func TestSince(t *testing.T) {
	cfg := Default()
	cfg.Dir, cfg.Edge, cfg.CommitInterval, cfg.SegmentBytes = t.TempDir(), "E1", 0, 64<<10
	b, err := Open(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := b.Since(time.Now()); got != (Cursor{}) && got.seq != 0 {
		t.Errorf("an empty buffer has %+v", got)
	}
	add := func(name string, n int) {
		for i := range n {
			if err := b.Accept(t.Context(), traffictest.Readings(fmt.Sprint(name, i), 500)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add("old", 30)
	time.Sleep(2 * time.Millisecond)
	moment := time.Now()
	add("new", 40)
	after := b.Since(moment)
	fresh := 0
	for c := after; ; fresh++ {
		n, ok := b.Next(c)
		if !ok {
			break
		}
		if n.At.Before(moment.Truncate(time.Microsecond)) || !after.Before(n.Cursor) {
			t.Errorf("batch %d at %s is older than %s", n.Seq, n.At, moment)
		}
		c = n.Cursor
	}
	if fresh != 40 {
		t.Errorf("%d fresh batches, want 40", fresh)
	}
	all := 0
	for c := b.Since(time.Time{}); ; all++ {
		n, ok := b.Next(c)
		if !ok {
			break
		}
		c = n.Cursor
	}
	if all != 70 {
		t.Errorf("%d batches since ever, want 70", all)
	}
}
