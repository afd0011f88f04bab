package uplink_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// A backlog drains at the collector's pace, and what is written meanwhile does not wait for
// it. CITYFLOW_TEST_SOAK=1 makes the backlog two million readings.
func TestLiveBesideBacklog(t *testing.T) {
	batches := 100
	if os.Getenv("CITYFLOW_TEST_SOAK") != "" {
		batches = 1000
	}
	e := newEdgeOf(t, lanesConfig(rig.Mosquitto(t)), 0, 2000)
	e.fill(t, "old", batches, 2000)
	time.Sleep(500 * time.Millisecond) // FreshFor

	l := newLiveLog()
	c := farend.Start(t, e.addr, l.ack)
	began := time.Now()
	e.run(t)
	for i := 0; l.old() < batches; i++ {
		l.written(uint64(batches + 1 + i))
		e.fill(t, fmt.Sprint("new", i), 1, 10)
		time.Sleep(10 * time.Millisecond)
		if time.Since(began) > 2*farend.Patience {
			t.Fatal("the backlog does not drain")
		}
	}
	rate := float64(batches*2000) / time.Since(began).Seconds()
	took := l.took()
	p95 := took[len(took)*95/100]
	t.Logf("%.0f readings/s drained; %d live batches took a median of %s, p95 %s", rate, len(took), took[len(took)/2], p95)
	if p95 > 2*time.Second {
		t.Errorf("95 %% of live batches took up to %s while the backlog drained", p95)
	}
	// The order at the far end is what makes it so.
	order := c.Order()
	if first := slices.IndexFunc(order, func(n uint64) bool { return n > uint64(batches) }); first < 0 || first > batches/2 {
		t.Errorf("the first live batch came as number %d of %d", first, len(order))
	}
}

func lanesConfig(addr string) uplink.Config {
	cfg := testConfig(addr)
	cfg.FreshFor = 500 * time.Millisecond
	cfg.AckTimeout, cfg.MaxAckTimeout, cfg.StallTimeout = 5*time.Second, 5*time.Second, 10*time.Second
	return cfg
}

// fill writes batches of n readings that do not compress better than real ones.
func (e *edgeEnd) fill(t *testing.T, name string, batches, n int) {
	t.Helper()
	for i := range batches {
		rs := traffictest.Readings(fmt.Sprint(name, "-", i), n)
		for j := range rs {
			rs[j].Speed = traffic.Some(float64(rand.N(9000)) / 100)
			rs[j].Flow = traffic.Some(float64(rand.N(2000)))
			rs[j].Occupancy = traffic.Value{}
		}
		if err := e.buf.Accept(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
	}
}
