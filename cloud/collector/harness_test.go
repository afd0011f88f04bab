package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}

// scripted is a store in memory that fails when the test says so. It keeps the
// promise of store.ReadingWriter otherwise.
type scripted struct {
	mu       sync.Mutex // guards everything declared below
	readings map[string]traffic.Reading
	batches  map[store.BatchID]int
	rejected []traffic.Rejected
	gaps     []traffic.Gap
	sensors  map[traffic.SensorID]traffic.SensorHealth
	appends  int
	// fail says how the next transaction ends; nil means well.
	fail func(ctx context.Context, d store.Delivery) error
}

func newScripted() *scripted {
	return &scripted{readings: make(map[string]traffic.Reading), batches: make(map[store.BatchID]int), sensors: make(map[traffic.SensorID]traffic.SensorHealth)}
}

func (s *scripted) PutSensors(_ context.Context, hs []traffic.SensorHealth) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range hs {
		s.sensors[h.Sensor] = h
	}
	return nil
}

func (s *scripted) Sensors(context.Context, store.SensorQuery) ([]traffic.SensorHealth, store.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.sensors)), "", nil
}

func key(r *traffic.Reading) string { return fmt.Sprint(r.Sensor, "@", r.At.UnixMicro()) }

func (s *scripted) Append(ctx context.Context, d store.Delivery) (store.Appended, error) {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, d); err != nil {
			return store.Appended{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.appends++
	var a store.Appended
	latest := map[traffic.RoadID]traffic.RoadState{}
	for _, r := range d.Readings {
		if _, there := s.readings[key(&r)]; there {
			a.Duplicate++
			continue
		}
		a.New++
		s.readings[key(&r)] = r
		if old, ok := latest[r.Road]; !ok || old.At.Before(r.At) {
			latest[r.Road] = traffic.RoadState{Reading: r}
		}
	}
	for _, b := range d.Batches {
		s.batches[b]++
	}
	s.rejected = append(s.rejected, d.Rejected...)
	s.gaps = append(s.gaps, d.Gaps...)
	for _, state := range latest {
		a.Latest = append(a.Latest, state)
	}
	return a, nil
}

func (s *scripted) setFail(f func(context.Context, store.Delivery) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.readings)
}

func (s *scripted) rejections() []traffic.Rejected {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]traffic.Rejected(nil), s.rejected...)
}

// running is a collector that runs until stop or the end of the test.
type running struct {
	*collector.Collector
	reg  *prometheus.Registry
	stop func()
}

// run starts a collector on the broker; change may adjust its configuration.
func run(t *testing.T, brokerAddr string, st collector.Store, live bus.Publisher, change func(*collector.Config)) *running {
	t.Helper()
	cfg := collector.Default()
	cfg.BrokerURL = "tcp://" + brokerAddr
	cfg.Instance = "test"
	if change != nil {
		change(&cfg)
	}
	if live == nil {
		live = inproc.New()
	}
	reg := prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := collector.New(cfg, st, live, log, reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("Run did not end within %v", patience)
		}
	})
	t.Cleanup(stop)
	return &running{Collector: c, reg: reg, stop: stop}
}

// ready waits until messages flow.
func (r *running) ready(t *testing.T) *running {
	t.Helper()
	eventually(t, "the collector is connected", func() bool { return r.BrokerReady(t.Context()) == nil })
	return r
}

// metric is the sum over a counter's or gauge's labels.
func (r *running) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		found = true
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if !found {
		t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// balanced checks that every reading received was stored, known or rejected.
func (r *running) balanced(t *testing.T) {
	t.Helper()
	names := []string{
		"cityflow_collector_messages_received_total", "cityflow_collector_messages_stored_total",
		"cityflow_collector_duplicates_total", "cityflow_collector_messages_failed_total",
	}
	v := make([]float64, len(names))
	for i, n := range names {
		v[i] = r.metric(t, n)
	}
	if v[0] != v[1]+v[2]+v[3] {
		t.Errorf("received %g ≠ stored %g + duplicates %g + failed %g", v[0], v[1], v[2], v[3])
	}
	if problems, err := testutil.GatherAndLint(r.reg); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v in vain until %s", patience, what)
}

// edge plays the part of an edge's uplink, or of a sensor: a plain MQTT client that
// keeps its batches until they are acknowledged.
type edge struct {
	id     traffic.EdgeID
	client mqtt.Client

	mu   sync.Mutex // guards everything declared below
	acks []*wire.Ack
	kept map[store.BatchID][]byte
}

// connect makes a client that mends its connection by itself.
func connect(t *testing.T, brokerAddr string, id traffic.EdgeID) *edge {
	t.Helper()
	e := &edge{id: id, kept: make(map[store.BatchID][]byte)}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + brokerAddr).SetClientID("edge-" + string(id)).
		SetCleanSession(false).SetResumeSubs(true).SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond).
		SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			a, err := wire.DecodeAck(m.Payload())
			if err != nil {
				t.Errorf("acknowledgement on %s: %v", m.Topic(), err)
				return
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.acks = append(e.acks, a)
			for _, seq := range a.Seqs {
				delete(e.kept, store.BatchID{Epoch: a.Epoch, Seq: seq})
			}
		})
	e.client = mqtt.NewClient(o)
	await(t, e.client.Connect())
	await(t, e.client.Subscribe(wire.AckTopic(id), 1, nil))
	t.Cleanup(func() { e.client.Disconnect(100) })
	return e
}

func await(t *testing.T, tok mqtt.Token) {
	t.Helper()
	if !tok.WaitTimeout(patience) {
		t.Fatal("the broker did not answer")
	}
	if err := tok.Error(); err != nil {
		t.Fatal(err)
	}
}

// send publishes a message and waits for the broker's word.
func (e *edge) send(t *testing.T, topic string, payload []byte) {
	t.Helper()
	await(t, e.client.Publish(topic, 1, false, payload))
}

func (e *edge) sendBatch(t *testing.T, b *wire.Batch) {
	t.Helper()
	if err := e.offer(b); err != nil {
		t.Fatal(err)
	}
}

// offer publishes a batch, keeps it, and waits for the broker's word.
func (e *edge) offer(b *wire.Batch) error {
	payload, err := wire.EncodeBatch(b)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.kept[store.BatchID{Epoch: b.Epoch, Seq: b.Seq}] = payload
	e.mu.Unlock()
	tok := e.client.Publish(wire.BatchTopic(e.id), 1, false, payload)
	if !tok.WaitTimeout(patience) {
		return fmt.Errorf("the broker did not confirm batch %d", b.Seq)
	}
	return tok.Error()
}

// again publishes what is not acknowledged once more.
func (e *edge) again() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, payload := range e.kept {
		e.client.Publish(wire.BatchTopic(e.id), 1, false, payload)
	}
}

func (e *edge) answers() []*wire.Ack {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*wire.Ack(nil), e.acks...)
}

// acked is how often a batch was acknowledged.
func (e *edge) acked(epoch, seq uint64) int {
	n := 0
	for _, a := range e.answers() {
		for _, s := range a.Seqs {
			if a.Epoch == epoch && s == seq {
				n++
			}
		}
	}
	return n
}

// awaitAck sends again what is not acknowledged, as an edge does, until the batch is.
func (e *edge) awaitAck(t *testing.T, epoch, seq uint64) {
	t.Helper()
	last := time.Now()
	eventually(t, fmt.Sprintf("batch %d/%d of %s is acknowledged", epoch, seq, e.id), func() bool {
		if time.Since(last) > 500*time.Millisecond {
			e.again()
			last = time.Now()
		}
		return e.acked(epoch, seq) > 0
	})
}

// begin is the event time of the first reading in tests.
func begin() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// batch returns n readings of distinct sensors, each batch at its own time.
func batch(id traffic.EdgeID, seq uint64, n int) *wire.Batch {
	b := &wire.Batch{Edge: id, Epoch: 7, Seq: seq}
	for i := range n {
		road := traffic.RoadID(fmt.Sprintf("%s-R%d", strings.ToUpper(string(id)), i))
		b.Readings = append(b.Readings, traffic.Reading{
			At: begin().Add(time.Duration(seq) * time.Minute), Sensor: traffic.SensorID(road), Road: road,
			Speed: traffic.Some(30), Flow: traffic.Some(600), Occupancy: traffic.Some(0.1), Score: traffic.Some(0.25),
		})
	}
	return b
}
