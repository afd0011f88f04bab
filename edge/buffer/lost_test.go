package buffer

import (
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Losses are summed by cause.
func TestLost(t *testing.T) {
	cfg := Default()
	cfg.Dir, cfg.Edge = t.TempDir(), "E1"
	b, err := Open(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := b.Lost(); len(got) != 0 {
		t.Errorf("a new buffer has lost %v", got)
	}
	b.lose(traffic.Gap{Cause: traffic.GapEvicted, Epoch: 1, FirstSeq: 1, LastSeq: 2, Readings: 5}, kindRaw)
	b.lose(traffic.Gap{Cause: traffic.GapThinned, Epoch: 1, FirstSeq: 3, LastSeq: 3, Readings: 2}, kindRaw)
	b.lose(traffic.Gap{Cause: traffic.GapEvicted, Epoch: 1, FirstSeq: 3, LastSeq: 3, Readings: 1}, kindAverages)
	want := map[traffic.GapCause]int{traffic.GapEvicted: 6, traffic.GapThinned: 2}
	if got := b.Lost(); !maps.Equal(got, want) {
		t.Errorf("lost %v, want %v", got, want)
	}
}
