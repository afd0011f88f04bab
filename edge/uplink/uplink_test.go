package uplink_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	edge     = traffic.EdgeID("E1")
	perBatch = 20
)

// counts returns how many batches came, and how many came again.
func counts(c *farend.Collector) (batches, again int) {
	for _, n := range c.Seen() {
		batches, again = batches+1, again+n-1
	}
	return batches, again
}

func testConfig(addr string) uplink.Config {
	cfg := uplink.Default()
	cfg.URL, cfg.Edge = "tcp://"+addr, edge
	cfg.AckTimeout, cfg.MaxAckTimeout, cfg.StallTimeout = 100*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond
	cfg.ProbeTimeout = 50 * time.Millisecond
	cfg.MinPause, cfg.MaxPause = 20*time.Millisecond, 200*time.Millisecond
	cfg.DrainTimeout = 200 * time.Millisecond
	return cfg
}

// An edgeEnd is a buffer with n batches and an uplink that empties it.
type edgeEnd struct {
	buf *buffer.Buffer
	up  *uplink.Uplink
	n   int
	// addr is the broker's.
	addr string
}

func newEdge(t *testing.T, cfg uplink.Config, batches int) *edgeEnd {
	t.Helper()
	return newEdgeOf(t, cfg, batches, perBatch)
}

func newEdgeOf(t *testing.T, cfg uplink.Config, batches, readings int) *edgeEnd {
	t.Helper()
	bc := buffer.Default()
	bc.Dir, bc.Edge, bc.CommitInterval, bc.BatchReadings = t.TempDir(), edge, 0, readings
	buf, err := buffer.Open(bc, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { buf.Close() })
	up, err := uplink.New(cfg, buf, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	e := &edgeEnd{buf: buf, up: up, addr: strings.TrimPrefix(cfg.URL, "tcp://")}
	e.add(t, batches)
	return e
}

func (e *edgeEnd) add(t *testing.T, batches int) {
	t.Helper()
	if batches > 0 {
		if err := e.buf.Accept(t.Context(), traffictest.Readings(fmt.Sprint("s", e.n), batches*perBatch)); err != nil {
			t.Fatal(err)
		}
	}
	e.n += batches
}

// run starts the uplink; stop ends it, also when the test does not.
func (e *edgeEnd) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.up.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(farend.Patience):
			t.Error("the uplink does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

// wantDelivered waits until nothing is left in the buffer, and checks that the collector
// has it all.
func (e *edgeEnd) wantDelivered(t *testing.T, c *farend.Collector) {
	t.Helper()
	farend.WaitFor(t, "all batches to be acknowledged", func() bool { return e.buf.Stats().Batches == 0 })
	batches, readings := c.Seen(), c.Readings()
	if len(batches) != e.n || len(readings) != e.n*perBatch {
		t.Errorf("the collector has %d batches with %d readings, want %d with %d", len(batches), len(readings), e.n, e.n*perBatch)
	}
	for key, n := range readings {
		if n != 1 {
			t.Errorf("reading %v is in %d batches", key, n)
		}
	}
}

func TestDeliversInOrder(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	c := farend.Start(t, addr, farend.AckAtOnce)
	e := newEdge(t, testConfig(addr), 100)
	stop := e.run(t)
	e.wantDelivered(t, c)
	e.add(t, 50) // news while it runs
	e.wantDelivered(t, c)
	if !slices.IsSorted(c.Order()) {
		t.Error("batches came out of order")
	}
	if s := e.up.State(); !s.Connected || s.LastAck.IsZero() || s.Since.IsZero() || e.up.Check(t.Context()) != nil {
		t.Errorf("state %+v", s)
	}
	stop()
	if e.up.Check(t.Context()) == nil {
		t.Error("a stopped uplink says that it is connected")
	}
}

// Whatever happens to acknowledgements, everything arrives and is forgotten once.
func TestBadAcknowledgements(t *testing.T) {
	t.Parallel()
	scripts := map[string]func() func(*farend.Collector, *wire.Batch){
		"the first of each is lost": func() func(*farend.Collector, *wire.Batch) {
			return func(c *farend.Collector, b *wire.Batch) {
				if c.Times(b) > 1 {
					farend.AckAtOnce(c, b)
				}
			}
		},
		"every third is lost": func() func(*farend.Collector, *wire.Batch) {
			var n atomic.Int64
			return func(c *farend.Collector, b *wire.Batch) {
				if n.Add(1)%3 != 0 {
					farend.AckAtOnce(c, b)
				}
			}
		},
		"each comes three times": func() func(*farend.Collector, *wire.Batch) {
			return func(c *farend.Collector, b *wire.Batch) {
				for range 3 {
					farend.AckAtOnce(c, b)
				}
			}
		},
		"delayed at random, so in any order": func() func(*farend.Collector, *wire.Batch) {
			return func(c *farend.Collector, b *wire.Batch) {
				time.AfterFunc(rand.N(150*time.Millisecond), func() { farend.AckAtOnce(c, b) })
			}
		},
		"many in one, backwards, with others": func() func(*farend.Collector, *wire.Batch) {
			var mu sync.Mutex
			held := []uint64{}
			return func(c *farend.Collector, b *wire.Batch) {
				mu.Lock()
				defer mu.Unlock()
				if held = append(held, b.Seq); len(held) < 5 && b.Seq < 56 {
					return
				}
				slices.Reverse(held)
				c.Ack(edge, wire.Ack{Epoch: b.Epoch, Seqs: append(held, 1<<50, 0), Window: 16})
				held = []uint64{}
			}
		},
		"among garbage and other epochs": func() func(*farend.Collector, *wire.Batch) {
			return func(c *farend.Collector, b *wire.Batch) {
				c.Publish(wire.AckTopic(edge), []byte("\xff garbage"))
				c.Ack(edge, wire.Ack{Epoch: b.Epoch + 1, Seqs: []uint64{b.Seq + 1, b.Seq + 2}, Window: 16})
				farend.AckAtOnce(c, b)
			}
		},
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := rig.Mosquitto(t)
			c := farend.Start(t, addr, script())
			e := newEdge(t, testConfig(addr), 60)
			e.run(t)
			e.wantDelivered(t, c)
		})
	}
}

// An acknowledgement of another epoch forgets nothing.
func TestOtherEpoch(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		c.Ack(edge, wire.Ack{Epoch: b.Epoch + 1, Seqs: []uint64{b.Seq}, Window: 16})
	})
	e := newEdge(t, testConfig(addr), 3)
	e.run(t)
	farend.WaitFor(t, "batches to come again", func() bool { _, again := counts(c); return again > 0 })
	if n := e.buf.Stats().Batches; n != 3 {
		t.Errorf("%d batches are left, want 3", n)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	var out, most, granted atomic.Int64
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		if c.Times(b) > 1 {
			return
		}
		if n := out.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.AfterFunc(10*time.Millisecond, func() {
			out.Add(-1)
			c.Ack(edge, wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, Window: int(granted.Load())})
		})
	})
	cfg := testConfig(addr)
	cfg.Window, cfg.MaxWindow = 4, 8
	cfg.AckTimeout, cfg.MaxAckTimeout = farend.Patience, farend.Patience
	e := newEdge(t, cfg, 30)
	granted.Store(4)
	c.Greet(func() (int, bool) { return int(granted.Load()), true })
	e.run(t)
	e.wantDelivered(t, c)
	if most.Load() != 4 {
		t.Errorf("%d batches were out at once, want 4", most.Load())
	}
	for _, step := range []struct{ grant, want int64 }{{1, 1}, {6, 6}, {1000, 8}} {
		granted.Store(step.grant)
		e.add(t, 1) // its acknowledgement brings the grant
		e.wantDelivered(t, c)
		farend.WaitFor(t, "the grant", func() bool { return e.up.State().Window == int(step.want) })
		most.Store(0)
		e.add(t, 30)
		e.wantDelivered(t, c)
		if most.Load() != step.want {
			t.Errorf("granted %d: %d batches were out at once, want %d", step.grant, most.Load(), step.want)
		}
	}
}

// While nobody acknowledges, only the oldest batch is sent again, ever more seldom.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	var here atomic.Bool
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		if here.Load() {
			farend.AckAtOnce(c, b)
		}
	})
	c.Greet(func() (int, bool) { return 16, here.Load() })
	e := newEdge(t, testConfig(addr), 60)
	e.run(t)
	farend.WaitFor(t, "hellos", func() bool { return c.Hellos() > 2 })
	if batches, _ := counts(c); batches != 0 {
		t.Errorf("%d batches came before a hello was answered", batches)
	}
	here.Store(true)
	e.wantDelivered(t, c)
	here.Store(false) // it goes in the middle
	hellos := c.Hellos()
	_, late := counts(c) // acknowledgements took long while it was there: what came again then
	e.add(t, 60)
	farend.WaitFor(t, "hellos again", func() bool { return c.Hellos() > hellos+2 })
	batches, again := counts(c)
	if out := batches - 60; out != 16 || again-late > 3 { // one whose acknowledgement is late comes again
		t.Errorf("%d batches came and %d came again; want a window of 16 once", out, again-late)
	}
	here.Store(true)
	e.wantDelivered(t, c)
}

// While a collector answers hellos and acknowledges nothing, as one whose database is away,
// one batch at a time is sent again, ever more seldom.
func TestCollectorWithoutDatabase(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	var here atomic.Bool
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		if here.Load() {
			farend.AckAtOnce(c, b)
		}
	})
	e := newEdge(t, testConfig(addr), 60)
	e.run(t)
	farend.WaitFor(t, "the oldest batch to come again", func() bool { _, again := counts(c); return again > 2 })
	batches, again := counts(c)
	if batches != 16 || again > 12 {
		t.Errorf("%d batches came, %d times again; want a window of 16 and a few of them again", batches, again)
	}
	for id, n := range c.Seen() {
		if n > 2 {
			t.Errorf("batch %d was sent %d times", id[1], n)
		}
	}
	here.Store(true)
	e.wantDelivered(t, c)
}

func TestBrokerComesAndGoes(t *testing.T) {
	t.Parallel()
	m := rig.StartMosquitto(t)
	m.Kill(t)
	e := newEdge(t, testConfig(m.Addr()), 20)
	e.run(t) // the broker is not there at boot
	farend.WaitFor(t, "a failure to be reported", func() bool { return e.up.State().Err != nil })
	if err := e.up.Check(t.Context()); err == nil || !strings.Contains(err.Error(), m.Addr()) {
		t.Errorf("readiness says %v", err)
	}
	m.Start(t)
	var n atomic.Int64
	c := farend.Start(t, m.Addr(), func(c *farend.Collector, b *wire.Batch) {
		if n.Add(1)%4 != 0 {
			farend.AckAtOnce(c, b)
		}
	})
	e.wantDelivered(t, c)
	for range 3 {
		e.add(t, 100)
		time.Sleep(20 * time.Millisecond)
		m.Kill(t)
		time.Sleep(50 * time.Millisecond)
		m.Start(t)
	}
	e.wantDelivered(t, c)
}

// A broker that takes batches and confirms none is left for a new connection.
func TestStalledBroker(t *testing.T) {
	t.Parallel()
	var deaf atomic.Bool
	deaf.Store(true)
	cfg := broker.Default()
	cfg.Addr = "127.0.0.1:0"
	b, err := broker.New(cfg, broker.Intake{
		Match:  func(topic string) bool { return deaf.Load() && strings.HasSuffix(topic, "/batch") },
		Handle: func(string, []byte, func(error)) {},
	}, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	c := farend.Start(t, b.Addr(), farend.AckAtOnce)
	e := newEdge(t, testConfig(b.Addr()), 10)
	e.run(t)
	farend.WaitFor(t, "the stall to be noticed", func() bool {
		s := e.up.State()
		return s.Err != nil && strings.Contains(s.Err.Error(), "confirms nothing")
	})
	deaf.Store(false)
	e.wantDelivered(t, c)
}

// A host that takes connections and says nothing is given up in time, and does not keep
// the uplink from stopping.
func TestSilentHost(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := testConfig(ln.Addr().String())
	cfg.ConnectTimeout = 200 * time.Millisecond
	e := newEdge(t, cfg, 1)
	stop := e.run(t)
	farend.WaitFor(t, "a failure to be reported", func() bool { return e.up.State().Err != nil })
	stop()

	cfg.ConnectTimeout = time.Minute
	e = newEdge(t, cfg, 1)
	stop = e.run(t)
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("stopping took %s", d)
	}
}

// What is left is sent after the stop, as long as there is time.
func TestDrainsBeforeItStops(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		time.AfterFunc(20*time.Millisecond, func() { farend.AckAtOnce(c, b) })
	})
	cfg := testConfig(addr)
	cfg.DrainTimeout = farend.Patience
	e := newEdge(t, cfg, 0)
	stop := e.run(t)
	farend.WaitFor(t, "the connection", func() bool { return e.up.State().Connected })
	e.add(t, 100)
	stop()
	if n := e.buf.Stats().Batches; n != 0 {
		t.Errorf("%d batches are left", n)
	}
	e.wantDelivered(t, c)
}

func TestStatusAndWill(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	statuses := make(chan string, 100)
	watch := farend.Dial(t, addr, "watch")
	watch.Subscribe(wire.StatusFilter, 1, func(_ mqtt.Client, m mqtt.Message) { statuses <- string(m.Payload()) })
	want := func(s string) {
		t.Helper()
		for end := time.After(farend.Patience); ; {
			select {
			case got := <-statuses:
				if got == s {
					return
				}
			case <-end:
				t.Fatalf("status %q did not come", s)
			}
		}
	}
	cfg := testConfig(addr)
	cfg.StatusInterval = 50 * time.Millisecond
	var n atomic.Int64
	cfg.Status = func() []byte { return fmt.Appendf(nil, "online %d", n.Add(1)) }
	cfg.Offline = []byte("offline")
	e := newEdge(t, cfg, 0)
	stop := e.run(t)
	want("online 1")
	want("online 3")
	// Another client of the same name takes the connection over: the first one's will
	// is published, and it comes back.
	farend.Dial(t, addr, "cityflow-edge-E1")
	want("offline")
	want(fmt.Sprintf("online %d", n.Load()+3))
	stop()
	want("offline")
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	cfg := uplink.Default()
	cfg.URL, cfg.Window, cfg.WriteTimeout = "http://x", 0, 0
	err := cfg.Validate()
	for _, want := range []string{`"http://x"`, "edge: empty", "window: 0", "write timeout: 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
