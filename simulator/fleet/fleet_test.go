package fleet

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A collector takes batches and acknowledges them, as the real one does after its
// commit; drop makes it deaf to some.
type collector struct {
	client mqtt.Client
	inbox  chan []byte // a handler that publishes would block its own connection
	window int
	drop   func(b *wire.Batch, times int) bool

	mu       sync.Mutex
	times    map[string]int // by edge and seq
	payloads map[string]string
	order    map[traffic.EdgeID][]uint64 // first arrivals
	readings map[string]bool             // by sensor and time
	byEdge   map[traffic.EdgeID]int
	bad      []string
}

func collect(t *testing.T, addr string, window int) *collector {
	t.Helper()
	c := &collector{
		inbox: make(chan []byte, 10000), window: window, times: map[string]int{}, payloads: map[string]string{}, order: map[traffic.EdgeID][]uint64{},
		readings: map[string]bool{}, byEdge: map[traffic.EdgeID]int{},
		drop: func(*wire.Batch, int) bool { return false },
	}
	subscribed := make(chan mqtt.Token, 100)
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("collector").SetOrderMatters(true).
		SetCleanSession(false).SetConnectRetryInterval(50 * time.Millisecond).SetMaxReconnectInterval(100 * time.Millisecond).
		SetOnConnectHandler(func(client mqtt.Client) { // Mosquitto forgets shared subscriptions when it restarts
			subscribed <- client.Subscribe("$share/collector/"+wire.BatchFilter, 1, func(_ mqtt.Client, m mqtt.Message) { c.inbox <- m.Payload() })
		}))
	wait(t, c.client.Connect())
	wait(t, <-subscribed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for payload := range c.inbox {
			c.take(payload)
		}
	}()
	t.Cleanup(func() {
		c.client.Disconnect(100)
		close(c.inbox)
		<-done
	})
	return c
}

func wait(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("mqtt: %v", token.Error())
	}
}

func (c *collector) take(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := wire.DecodeBatch(payload)
	if err != nil {
		c.bad = append(c.bad, err.Error())
		return
	}
	key := fmt.Sprint(b.Edge, " ", b.Seq)
	if c.times[key]++; c.times[key] > 1 && c.payloads[key] != string(payload) {
		c.bad = append(c.bad, key+" came again with another content")
	}
	c.payloads[key] = string(payload)
	if c.times[key] == 1 {
		c.order[b.Edge] = append(c.order[b.Edge], b.Seq)
		c.byEdge[b.Edge] += len(b.Readings)
	}
	for i := range b.Readings {
		if err := b.Readings[i].Validate(time.Now()); err != nil {
			c.bad = append(c.bad, err.Error())
		}
		c.readings[fmt.Sprint(b.Readings[i].Sensor, b.Readings[i].At)] = true
	}
	if c.drop(b, c.times[key]) {
		return
	}
	ack, err := wire.EncodeAck(&wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, ServerTime: time.Now(), Window: c.window})
	if err != nil {
		c.bad = append(c.bad, err.Error())
		return
	}
	c.client.Publish(wire.AckTopic(b.Edge), 1, false, ack)
}

// check looks at what arrived when a run is over.
func (c *collector) check(t *testing.T, edges, readings int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		t.Errorf("%d problems, first: %s", len(c.bad), c.bad[0])
	}
	if len(c.readings) != readings || len(c.order) != edges {
		t.Errorf("%d readings of %d edges arrived, want %d of %d", len(c.readings), len(c.order), readings, edges)
	}
}

// inOrder expects the first arrivals of each edge in the order of their numbers.
func (c *collector) inOrder(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, seqs := range c.order {
		for i, seq := range seqs {
			if seq != uint64(i+1) {
				t.Fatalf("%s: batch %d arrived in place %d", id, seq, i+1)
			}
		}
	}
}

func config(addr string) Config {
	c := DefaultConfig()
	c.BrokerURL, c.Rate, c.AckTimeout = "tcp://"+addr, 0, time.Second
	return c
}

// run plays a fleet to its end.
func run(t *testing.T, cfg Config) Stats {
	t.Helper()
	f, err := New(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.Run(ctx); err != nil || ctx.Err() != nil {
		t.Fatalf("%v %v; %+v", err, ctx.Err(), f.Stats())
	}
	return f.Stats()
}

func TestEverythingIsAcknowledged(t *testing.T) {
	addr := rig.Mosquitto(t)
	c := collect(t, addr, 8)
	cfg := config(addr)
	cfg.Edges, cfg.Sensors, cfg.Total, cfg.Batch = 40, 7, 40*300, 100
	s := run(t, cfg)
	if s != (Stats{Sent: 12000, Acked: 12000}) {
		t.Errorf("%+v", s)
	}
	c.check(t, 40, 12000)
	c.inOrder(t)
	for id, n := range c.byEdge {
		if n != 300 {
			t.Errorf("%s sent %d readings", id, n)
		}
	}
}

func TestLostBatchesAreSentAgain(t *testing.T) {
	addr := rig.Mosquitto(t)
	c := collect(t, addr, 3)
	c.drop = func(b *wire.Batch, times int) bool { return b.Seq%4 == 0 && times < 3 }
	cfg := config(addr)
	cfg.Edges, cfg.Total, cfg.Batch = 3, 3*800, 100
	s := run(t, cfg)
	// Two of the eight batches of each edge were lost twice.
	if s.Acked != 2400 || s.Sent != 2400 || s.Resent < 3*2*2*100 {
		t.Errorf("%+v", s)
	}
	c.check(t, 3, 2400)
	c.inOrder(t)
}

// While the collector is silent, an edge has no more out than it was granted.
func TestWindowIsKept(t *testing.T) {
	addr := rig.Mosquitto(t)
	c := collect(t, addr, 6)
	c.drop = func(b *wire.Batch, _ int) bool { return b.Seq > 2 }
	cfg := config(addr)
	cfg.Edges, cfg.Batch, cfg.AckTimeout = 1, 10, time.Minute
	f, err := New(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := f.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	if s := f.Stats(); s.Acked != 20 || s.Sent != 20+6*10 {
		t.Errorf("%+v; want 2 batches acknowledged and 6 out", s)
	}
}

func TestBrokerRestart(t *testing.T) {
	broker := rig.StartMosquitto(t)
	c := collect(t, broker.Addr(), 4)
	cfg := config(broker.Addr())
	cfg.Edges, cfg.Rate, cfg.Total, cfg.Batch = 5, 2000, 5*800, 40
	done := make(chan Stats)
	go func() { done <- run(t, cfg) }()
	time.Sleep(500 * time.Millisecond)
	broker.Stop(t)
	time.Sleep(200 * time.Millisecond)
	broker.Start(t)
	s := <-done
	if s.Acked != 4000 || s.Resent == 0 || s.Connected != 0 {
		t.Errorf("%+v", s)
	}
	// What came while the collector was not back is lost and comes again: complete,
	// but in no order.
	c.check(t, 5, 4000)
}

func TestRateIsKept(t *testing.T) {
	addr := rig.Mosquitto(t)
	collect(t, addr, 8)
	cfg := config(addr)
	cfg.Edges, cfg.Sensors, cfg.Rate, cfg.Total = 4, 10, 400, 800
	begin := time.Now()
	run(t, cfg)
	// The first batch of all is free, the rest waits its turn.
	if d := time.Since(begin); d < 1500*time.Millisecond || d > 10*time.Second {
		t.Errorf("800 readings at 400/s took %s", d)
	}
}

func TestGeneratorIsPlausibleAndRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig().settled(time.Now())
		if cfg.Step != 10*time.Second || cfg.Batch != 10 || !cfg.Start.Equal(time.Now()) {
			t.Errorf("1,000 sensors at 100/s: step %s, batch %d", cfg.Step, cfg.Batch)
		}
		a, b := newGenerator(&cfg, "e", 1), newGenerator(&cfg, "e", 1)
		other := newGenerator(&cfg, "e", 2)
		rs, again, others := make([]traffic.Reading, 5000), make([]traffic.Reading, 5000), make([]traffic.Reading, 5000)
		a.fill(rs)
		b.fill(again)
		other.fill(others)
		same := 0
		seen := map[string]bool{}
		for i := range rs {
			if err := rs[i].Validate(rs[i].At); err != nil {
				t.Fatal(err)
			}
			if rs[i] != again[i] {
				t.Fatalf("%+v is not repeatable", rs[i])
			}
			if rs[i].Speed == others[i].Speed {
				same++
			}
			seen[fmt.Sprint(rs[i].Sensor, rs[i].At)] = true
		}
		if len(seen) != len(rs) || same > 1000 {
			t.Errorf("%d different readings, %d equal to those of another edge", len(seen), same)
		}
	})
}

func TestConfig(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"edges: 1001: want 1 to 1000": func(c *Config) { c.Edges = 1001 },
		"sensors: 0":                  func(c *Config) { c.Sensors = 0 },
		"rate: -1":                    func(c *Config) { c.Rate = -1 },
		"batch: 10001":                func(c *Config) { c.Batch = 10001 },
		"total: -1":                   func(c *Config) { c.Total = -1 },
		"step: -1s":                   func(c *Config) { c.Step = -time.Second },
		"ack-timeout: 0s":             func(c *Config) { c.AckTimeout = 0 },
		"broker-url: \"\"":            func(c *Config) { c.BrokerURL = "" },
		"prefix: xxxx":                func(c *Config) { c.Prefix = strings.Repeat("x", 120) },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
