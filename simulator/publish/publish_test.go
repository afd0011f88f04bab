package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var begin = time.Date(2022, 3, 1, 8, 0, 0, 0, time.UTC)

// some makes n readings of one instant, of n sensors.
func some(instant, n int) []traffic.Reading {
	out := make([]traffic.Reading, n)
	for i := range out {
		id := fmt.Sprintf("PARIS-%d", i)
		out[i] = traffic.Reading{
			At: begin.Add(time.Duration(instant) * time.Second), Sensor: traffic.SensorID(id), Road: traffic.RoadID(id),
			Flow: traffic.Some(float64(instant)), Occupancy: traffic.Some(0.25), Place: &traffic.Place{Label: "Bd Voltaire"},
		}
	}
	return out
}

// A listener subscribes to everything that sensors send and keeps it in the order of
// arrival.
type listener struct {
	mu       sync.Mutex
	readings []traffic.Reading
	topics   map[string]int
}

func listen(t testing.TB, addr string) *listener {
	t.Helper()
	l := &listener{topics: map[string]int{}}
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("listener").SetOrderMatters(true))
	wait(t, c.Connect())
	for _, topic := range []string{wire.SensorFilter, wire.SensorTopicAlt} {
		wait(t, c.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) {
			got := wire.DecodeSensor(m.Topic(), m.Payload(), time.Now())
			l.mu.Lock()
			defer l.mu.Unlock()
			l.topics[m.Topic()]++
			l.readings = append(l.readings, got.Readings...)
			if len(got.Rejected) > 0 {
				t.Errorf("rejected: %s", got.Rejected[0].Detail)
			}
		}))
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return l
}

func wait(t testing.TB, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("mqtt: %v", token.Error())
	}
}

// until waits for n readings to have arrived, doublets included.
func (l *listener) until(t *testing.T, n int) []traffic.Reading {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		l.mu.Lock()
		rs := l.readings
		l.mu.Unlock()
		if len(rs) >= n {
			return rs
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d readings arrived, want %d", len(rs), n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// start runs a Publisher for the test.
func start(t testing.TB, cfg Config, reg prometheus.Registerer) *Publisher {
	t.Helper()
	p, err := New(cfg, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return p
}

func config(addr string) Config {
	c := DefaultConfig()
	c.BrokerURL = "tcp://" + addr
	return c
}

func flush(t testing.TB, p *Publisher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestEverythingArrivesOnceAndInOrder(t *testing.T) {
	addr := rig.Mosquitto(t)
	l := listen(t, addr)
	reg := prometheus.NewRegistry()
	cfg := config(addr)
	cfg.Linger = maxLinger // only full messages leave
	p := start(t, cfg, reg)
	const instants, sensors = 300, 40
	chunk := make([]traffic.Reading, sensors)
	for i := range instants {
		copy(chunk, some(i, sensors)) // a source uses its chunk again
		if err := p.Publish(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, p)
	rs := l.until(t, instants*sensors)
	if len(rs) != instants*sensors {
		t.Errorf("%d readings arrived, want %d", len(rs), instants*sensors)
	}
	for i, r := range rs {
		want := some(i/sensors, sensors)[i%sensors]
		if r.Sensor != want.Sensor || !r.At.Equal(want.At) || r.Flow != want.Flow || r.Occupancy != want.Occupancy || r.Place.Label != want.Place.Label {
			t.Fatalf("reading %d is %+v, want %+v", i, r, want)
		}
	}
	if n := l.topics[wire.SensorTopicAlt]; n != instants*sensors/500 || len(l.topics) != 1 {
		t.Errorf("messages by topic: %v, want full ones only", l.topics)
	}
	for name, want := range map[string]float64{"sent": instants * sensors, "acked": instants * sensors, "resent": 0} {
		m := map[string]prometheus.Counter{"sent": p.metrics.sent, "acked": p.metrics.acked, "resent": p.metrics.resent}[name]
		if got := testutil.ToFloat64(m); got != want {
			t.Errorf("readings %s: %v, want %v", name, got, want)
		}
	}
	if got := testutil.ToFloat64(p.metrics.out); got != 0 {
		t.Errorf("messages out: %v", got)
	}
}

func TestOneSensorHasItsTopicAndNothingLingers(t *testing.T) {
	addr := rig.Mosquitto(t)
	l := listen(t, addr)
	p := start(t, config(addr), nil)
	for i := range 3 {
		if err := p.Publish(t.Context(), some(i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	l.until(t, 3) // without a flush
	if len(l.topics) != 1 || l.topics["cityflow/traffic/PARIS-0"] == 0 {
		t.Errorf("topics %v", l.topics)
	}
	flush(t, p)
}

// A proxy whose connections break after some bytes.
type proxy struct {
	net.Listener
	to    string
	after int64
	mu    sync.Mutex
	cuts  int
	wg    sync.WaitGroup
}

func cutting(t *testing.T, to string, after int64) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: ln, to: to, after: after}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		ln.Close()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		p.wg.Go(func() { _, _ = io.Copy(in, out) })
		p.wg.Go(func() {
			p.mu.Lock()
			after := p.after
			p.mu.Unlock()
			n, _ := io.CopyN(out, in, after)
			in.Close()
			out.Close()
			p.mu.Lock()
			defer p.mu.Unlock()
			if n == after {
				p.cuts++
				p.after += after / 3 // so that it comes to an end
			}
		})
	}
}

func TestNothingIsLostWhenTheConnectionBreaks(t *testing.T) {
	addr := rig.Mosquitto(t)
	l := listen(t, addr)
	line := cutting(t, addr, 30_000)
	cfg := config(line.Addr().String())
	cfg.Batch, cfg.Window = 50, 16
	p := start(t, cfg, nil)
	const instants, sensors = 400, 20
	begin := time.Now()
	for i := range instants {
		if err := p.Publish(t.Context(), some(i, sensors)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, p)
	if d := time.Since(begin); d > 8*time.Second {
		t.Errorf("it took %s: a connection that is gone held up the next one", d)
	}
	line.mu.Lock()
	cuts := line.cuts
	line.mu.Unlock()
	if cuts < 3 {
		t.Fatalf("the line was cut %d times only", cuts)
	}
	checkOrder(t, l, instants, sensors)
	if testutil.ToFloat64(p.metrics.resent) == 0 || testutil.ToFloat64(p.metrics.sent) != instants*sensors {
		t.Errorf("sent %v, resent %v", testutil.ToFloat64(p.metrics.sent), testutil.ToFloat64(p.metrics.resent))
	}
}

// checkOrder expects every reading at least once and the first arrivals of all
// readings in event-time order.
func checkOrder(t *testing.T, l *listener, instants, sensors int) {
	t.Helper()
	type key struct {
		sensor traffic.SensorID
		at     time.Time
	}
	seen := map[key]bool{}
	last := time.Time{}
	for i := 0; len(seen) < instants*sensors; i++ {
		r := l.until(t, i+1)[i]
		if k := (key{r.Sensor, r.At}); !seen[k] {
			seen[k] = true
			if r.At.Before(last) {
				t.Fatalf("%s of %s came after %s", r.At, r.Sensor, last)
			}
			last = r.At
		}
	}
}

func TestBrokerRestart(t *testing.T) {
	broker := rig.StartMosquitto(t)
	cfg := config(broker.Addr())
	cfg.Window = 4
	p := start(t, cfg, nil)
	if err := p.Publish(t.Context(), some(0, 1)); err != nil {
		t.Fatal(err)
	}
	flush(t, p)
	broker.Kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	n := 1
	for ; ; n++ {
		if err := p.Publish(ctx, some(n, 500)); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		if n > 20 {
			t.Fatal("more than the window was taken without a broker")
		}
	}
	if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush without a broker: %v", err)
	}
	broker.Start(t)
	l := listen(t, broker.Addr())
	flush(t, p)
	if rs := l.until(t, 1); len(rs) == 0 {
		t.Error("nothing arrived after the restart")
	}
	if got, want := testutil.ToFloat64(p.metrics.acked), float64(1+500*n); got != want {
		t.Errorf("%v readings acknowledged, want %v", got, want)
	}
}

func TestStopped(t *testing.T) {
	p, err := New(config("127.0.0.1:1"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	if err := p.Publish(t.Context(), some(0, 7)); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- p.Flush(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-flushed; !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "7 readings") {
		t.Errorf("Flush: %v", err)
	}
	if err := p.Publish(t.Context(), some(1, 1)); !errors.Is(err, ErrStopped) {
		t.Errorf("Publish: %v", err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Config){
		"broker-url: \"localhost:1883\"":      func(c *Config) { c.BrokerURL = "localhost:1883" },
		"broker-url: \"http://u:xxxxx@h:1883": func(c *Config) { c.BrokerURL = "http://u:secret@h:1883" },
		"batch: 0: want 1 to 2000":            func(c *Config) { c.Batch = 0 },
		"window: 1001: want 1 to 1000":        func(c *Config) { c.Window = 1001 },
		"linger: -1s":                         func(c *Config) { c.Linger = -time.Second },
		"ack-timeout: 1ms":                    func(c *Config) { c.AckTimeout = time.Millisecond },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	p := start(b, config(rig.Mosquitto(b)), nil)
	chunk := some(0, 207)
	n := 0
	for b.Loop() {
		for i := range chunk {
			chunk[i].At = chunk[i].At.Add(5 * time.Minute)
		}
		if err := p.Publish(b.Context(), chunk); err != nil {
			b.Fatal(err)
		}
		n += len(chunk)
	}
	flush(b, p)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "readings/s")
}
