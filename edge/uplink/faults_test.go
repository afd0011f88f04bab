package uplink_test

import (
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A collector that grants nothing is left in peace, but for hellos, until it grants again.
func TestWindowZero(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	var stop atomic.Bool
	var window atomic.Int64
	window.Store(4)
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		if stop.CompareAndSwap(true, false) {
			window.Store(0)
		}
		c.Ack(edge, wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, Window: int(window.Load())})
	})
	c.Greet(func() (int, bool) { return int(window.Load()), true })
	cfg := testConfig(addr)
	cfg.AckTimeout, cfg.MaxAckTimeout = farend.Patience, farend.Patience // every batch is answered, if late
	e := newEdge(t, cfg, 30)
	e.run(t)
	e.wantDelivered(t, c)
	stop.Store(true)
	e.add(t, 200)
	farend.WaitFor(t, "the stop", func() bool { return e.up.State().Window == 0 })
	hellos := c.Hellos()
	farend.WaitFor(t, "hellos", func() bool { return c.Hellos() > hellos+1 })
	batches, _ := counts(c)
	if left := e.n - batches; left < 150 {
		t.Errorf("only %d batches were held back", left)
	}
	farend.WaitFor(t, "more hellos", func() bool { return c.Hellos() > hellos+3 })
	if now, again := counts(c); now != batches || again != 0 {
		t.Errorf("%d batches came while the window was 0, %d again", now-batches, again)
	}
	window.Store(4)
	e.wantDelivered(t, c)
}

// A link that dies without a word is left for a new one, and nothing is lost.
func TestSilentLink(t *testing.T) {
	t.Parallel()
	relay := rig.StartRelay(t, rig.Mosquitto(t))
	c := farend.Start(t, relay.Addr(), farend.AckAtOnce)
	cfg := testConfig(relay.Addr())
	e := newEdge(t, cfg, 50)
	e.run(t)
	e.wantDelivered(t, c)
	for range 2 {
		relay.Freeze(true)
		e.add(t, 50)
		farend.WaitFor(t, "the silence to be noticed", func() bool { return !e.up.State().Connected })
		relay.Freeze(false)
		relay.Cut() // what was frozen does not come back
		e.wantDelivered(t, c)
	}
	if n := e.up.State().Stuck; n != 0 {
		t.Errorf("%d clients are stuck", n)
	}
}

// A batch that the broker took and nobody else got is sent again as soon as later ones are
// acknowledged, long before its time is up.
func TestLostBatchIsSentSoon(t *testing.T) {
	t.Parallel()
	addr := rig.Mosquitto(t)
	var lost atomic.Uint64
	c := farend.Start(t, addr, func(c *farend.Collector, b *wire.Batch) {
		if c.Times(b) > 1 || !lost.CompareAndSwap(0, b.Seq) {
			farend.AckAtOnce(c, b)
		}
	})
	cfg := testConfig(addr)
	cfg.AckTimeout, cfg.MaxAckTimeout = time.Hour, time.Hour
	e := newEdge(t, cfg, 1)
	e.run(t)
	for range 5 { // later ones
		time.Sleep(300 * time.Millisecond)
		e.add(t, 1)
	}
	e.wantDelivered(t, c)
	if _, again := counts(c); again != 1 {
		t.Errorf("%d batches came again, want the lost one", again)
	}
}

// A slowLink passes bytes at a bounded rate, in each direction, with a queue like that of a
// modem before it.
type slowLink struct {
	ln    net.Listener
	conns []net.Conn
	mu    sync.Mutex
}

func startSlowLink(t *testing.T, to string, bytesPerSecond int, delay time.Duration) *slowLink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &slowLink{ln: ln}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, in, out)
			l.mu.Unlock()
			all.Go(func() { crawl(out, in, bytesPerSecond, delay) })
			all.Go(func() { crawl(in, out, bytesPerSecond, delay) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		l.mu.Lock()
		for _, c := range l.conns {
			c.Close()
		}
		l.mu.Unlock()
		all.Wait()
	})
	return l
}

func crawl(to io.WriteCloser, from io.Reader, bytesPerSecond int, delay time.Duration) {
	defer to.Close()
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1<<16)
	var writing sync.WaitGroup
	writing.Go(func() {
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				to.Close()
			}
		}
	})
	defer writing.Wait()
	defer close(pieces)
	for free := time.Now(); ; {
		buf := make([]byte, 512)
		n, err := from.Read(buf)
		if n > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * time.Second / time.Duration(bytesPerSecond))
			pieces <- piece{free.Add(delay), buf[:n]}
		}
		if err != nil {
			return
		}
	}
}

// On a slow link with a backlog of minutes fresh batches are through within a second or
// two. The link has 640 kbit/s, and 64 with CITYFLOW_TEST_SOAK=1.
func TestSlowLink(t *testing.T) {
	rate, limit, rounds, pause := 80_000, time.Second, 30, 100*time.Millisecond
	if os.Getenv("CITYFLOW_TEST_SOAK") != "" {
		rate, limit, rounds, pause = 8000, 2500*time.Millisecond, 60, time.Second
	}
	addr := rig.Mosquitto(t)
	slow := startSlowLink(t, addr, rate, 50*time.Millisecond)
	e := newEdgeOf(t, lanesConfig(slow.ln.Addr().String()), 0, 2000)
	const batches = 60
	e.fill(t, "old", batches, 2000)
	first, _ := e.buf.Next(buffer.Cursor{})
	size := len(first.Payload)
	time.Sleep(500 * time.Millisecond) // FreshFor
	l := newLiveLog()
	farend.Start(t, addr, l.ack)
	began := time.Now()
	e.run(t)
	for i := range rounds {
		l.written(uint64(batches + 1 + i))
		e.fill(t, "new", 1, 200)
		time.Sleep(pause)
	}
	d := time.Since(began)
	old := l.old()
	farend.WaitFor(t, "the last fresh batch", func() bool { return len(l.took()) >= rounds })
	took := l.took()
	p95 := took[len(took)*95/100]
	t.Logf("old batches of %d bytes: %d came in %s, %.2f of the link; fresh ones took a median of %s, p95 %s",
		size, old, d, float64(old)*float64(size)/d.Seconds()/float64(rate), took[len(took)/2], p95)
	if p95 > limit || old < 5 {
		t.Errorf("95 %% of fresh batches took up to %s, %d old ones came", p95, old)
	}
}

// A liveLog is a collector's script that measures how long marked batches took.
type liveLog struct {
	mu     sync.Mutex
	at     map[uint64]time.Time // by number of the batch
	times  []time.Duration
	others int
}

func newLiveLog() *liveLog { return &liveLog{at: map[uint64]time.Time{}} }

func (l *liveLog) ack(c *farend.Collector, b *wire.Batch) {
	farend.AckAtOnce(c, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch at, ok := l.at[b.Seq]; {
	case c.Times(b) > 1:
	case ok:
		l.times = append(l.times, time.Since(at))
	default:
		l.others++
	}
}

// written marks the batch that is about to be written.
func (l *liveLog) written(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[seq] = time.Now()
}

// took are the times of marked batches, sorted; old how many others came.
func (l *liveLog) took() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.times)
	slices.Sort(out)
	return out
}

func (l *liveLog) old() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.others
}
