package collector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestBatchesAreStoredAndAcknowledged(t *testing.T) {
	addr := rig.Mosquitto(t)
	st, live := newScripted(), inproc.New()
	news, err := live.Subscribe(t.Context(), bus.TopicLive)
	if err != nil {
		t.Fatal(err)
	}
	c := run(t, addr, st, live, nil).ready(t)
	north, south := connect(t, addr, "north"), connect(t, addr, "south/2")
	before := time.Now().Add(-time.Second)
	for seq := uint64(1); seq <= 5; seq++ {
		north.sendBatch(t, batch("north", seq, 10))
		south.sendBatch(t, batch("south/2", seq, 20))
	}
	for seq := uint64(1); seq <= 5; seq++ {
		north.awaitAck(t, 7, seq)
		south.awaitAck(t, 7, seq)
	}
	if got := st.count(); got != 150 {
		t.Errorf("%d readings are stored, want 150", got)
	}
	for _, a := range append(north.answers(), south.answers()...) {
		if a.ServerTime.Before(before) || a.ServerTime.After(time.Now().Add(time.Second)) {
			t.Errorf("server time %v is not now", a.ServerTime)
		}
		if a.Window < 1 || a.Window > collector.Default().Window {
			t.Errorf("window %d, want 1 to %d", a.Window, collector.Default().Window)
		}
	}
	roads := map[traffic.RoadID]time.Time{}
	for len(roads) < 30 {
		select {
		case e := <-news:
			for _, s := range e.Roads {
				roads[s.Road] = s.At
				if s.Edge == "" {
					t.Errorf("state of %s does not say which edge delivered it", s.Road)
				}
			}
		case <-time.After(patience):
			t.Fatalf("news of %d roads, want 30", len(roads))
		}
	}
	if got := c.metric(t, "cityflow_collector_messages_stored_total"); got != 150 {
		t.Errorf("stored_total %g, want 150", got)
	}
	for id, n := range st.batches {
		if n != 1 || id.Epoch != 7 {
			t.Errorf("batch %+v was recorded %d times", id, n)
		}
	}
	c.balanced(t)
}

func TestRepeatedBatchIsAcknowledgedAgain(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	for want := 1; want <= 3; want++ {
		e.sendBatch(t, batch("e", 1, 10))
		eventually(t, "the batch is acknowledged once more", func() bool { return e.acked(7, 1) == want })
	}
	if st.count() != 10 || c.metric(t, "cityflow_collector_duplicates_total") != 20 {
		t.Errorf("%d readings, %g duplicates; want 10 and 20", st.count(), c.metric(t, "cityflow_collector_duplicates_total"))
	}
	c.balanced(t)
}

// What cannot be read is kept as a rejection and stops nobody.
func TestPoison(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	foreign, err := wire.EncodeBatch(batch("somebody else", 3, 4))
	if err != nil {
		t.Fatal(err)
	}
	for _, send := range []func(){
		func() { e.send(t, wire.BatchTopic("e"), []byte("\x00\xffgarbage\x00")) },
		func() { e.send(t, wire.BatchTopic("e"), nil) },
		func() { e.send(t, wire.BatchTopic("e"), foreign) },
		func() { e.send(t, wire.BatchTopic(traffic.EdgeID(strings.Repeat("x", 200))), foreign) },
		func() { e.send(t, wire.BatchTopic("nul\x00"), foreign) },
	} {
		send()
	}
	e.sendBatch(t, batch("e", 1, 10))
	e.awaitAck(t, 7, 1)
	e.awaitAck(t, 7, 3) // of the foreign batch: its edge must not send it for ever
	if got := st.count(); got != 10 {
		t.Errorf("%d readings are stored, want 10", got)
	}
	rejected := st.rejections()
	if len(rejected) != 5 {
		t.Fatalf("%d rejections, want 5: %+v", len(rejected), rejected)
	}
	garbage := 0
	for _, r := range rejected {
		if string(r.Payload) == "\x00\xffgarbage\x00" && r.Reason == traffic.ReasonParse && r.Edge == "e" {
			garbage++
		}
		if r.Origin == "" || r.Detail == "" || r.At.IsZero() || strings.ContainsRune(r.Origin+r.Detail+string(r.Edge), 0) {
			t.Errorf("rejection without origin, detail or time, or with a zero byte: %+v", r)
		}
	}
	if garbage != 1 {
		t.Errorf("no rejection holds the garbage, its reason and its edge: %+v", rejected)
	}
	for id := range st.batches {
		if id != (store.BatchID{Edge: "e", Epoch: 7, Seq: 1}) {
			t.Errorf("a rejected batch is recorded as received: %+v", id)
		}
	}
	c.balanced(t)
	c.stop()
	again := run(t, addr, st, nil, nil).ready(t) // the broker has nothing left for it
	time.Sleep(200 * time.Millisecond)
	if got := again.metric(t, "cityflow_collector_messages_received_total"); got != 0 {
		t.Errorf("%g messages came again after they were rejected", got)
	}
}

func TestInvalidReadingsOfABatchAreRejectedAlone(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	b := batch("e", 1, 6)
	b.Readings[1].At = time.Now().Add(48 * time.Hour)
	b.Readings[2].Speed = traffic.Some(500)
	b.Readings[3].Speed, b.Readings[3].Flow, b.Readings[3].Occupancy = traffic.Value{}, traffic.Value{}, traffic.Value{}
	b.Readings[4].Place = &traffic.Place{Label: "a\x00b"}
	b.Readings[5].At = time.Now().Add(traffic.MaxFuture + time.Minute) // its edge's clock is a little ahead of ours
	b.Rejected = []traffic.Rejected{{At: begin(), Origin: "cityflow/traffic/X", Payload: []byte("{"), Reason: "made up", Detail: "a\x00"}}
	e.sendBatch(t, b)
	e.awaitAck(t, 7, 1)
	if got := st.count(); got != 2 {
		t.Errorf("%d readings are stored, want the 2 valid ones", got)
	}
	reasons := map[traffic.Reason]int{}
	for _, r := range st.rejections() {
		reasons[r.Reason]++
		if r.Edge != "e" || len(r.Payload) == 0 || strings.ContainsRune(r.Detail, 0) {
			t.Errorf("rejection %+v", r)
		}
	}
	want := map[traffic.Reason]int{traffic.ReasonFuture: 1, traffic.ReasonRange: 2, traffic.ReasonEmpty: 1, traffic.ReasonParse: 1}
	if fmt.Sprint(reasons) != fmt.Sprint(want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
	if got := c.metric(t, "cityflow_collector_messages_failed_total"); got != 4 {
		t.Errorf("failed_total %g, want 4: what the edge rejected never was a reading here", got)
	}
	c.balanced(t)
}

// While the store fails nothing is acknowledged and nothing is lost.
func TestStoreFailsAndRecovers(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	var failures atomic.Int32
	st.setFail(func(context.Context, store.Delivery) error {
		failures.Add(1)
		return errors.New("disk full")
	})
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	for seq := uint64(1); seq <= 30; seq++ {
		e.sendBatch(t, batch("e", seq, 5))
	}
	eventually(t, "the store was tried three times", func() bool { return failures.Load() >= 3 })
	if err := c.StoreReady(t.Context()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("StoreReady: %v, want the reason", err)
	}
	if got := e.answers(); len(got) != 0 {
		t.Errorf("acknowledged %v while nothing was stored", got)
	}
	st.setFail(nil)
	for seq := uint64(1); seq <= 30; seq++ {
		e.awaitAck(t, 7, seq)
	}
	if got := st.count(); got != 150 {
		t.Errorf("%d readings are stored, want 150", got)
	}
	if err := c.StoreReady(t.Context()); err != nil {
		t.Errorf("StoreReady after recovery: %v", err)
	}
	c.balanced(t)
}

// While one transaction takes its time the next runs, and each is answered for itself.
func TestTwoTransactionsAtATime(t *testing.T) {
	st := newScripted()
	slow, release := make(chan struct{}), make(chan struct{})
	st.setFail(func(_ context.Context, d store.Delivery) error {
		if len(d.Batches) > 0 && d.Batches[0].Seq == 1 {
			close(slow)
			<-release
		}
		return nil
	})
	addr := rig.Mosquitto(t)
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	e.sendBatch(t, batch("e", 1, 10))
	<-slow
	e.sendBatch(t, batch("e", 2, 10))
	eventually(t, "batch 2 is acknowledged", func() bool { return e.acked(7, 2) > 0 })
	if e.acked(7, 1) > 0 || st.count() != 10 {
		t.Errorf("batch 1 was acknowledged %d times before its transaction ended; %d readings", e.acked(7, 1), st.count())
	}
	close(release)
	eventually(t, "batch 1 is acknowledged", func() bool { return e.acked(7, 1) > 0 })
	c.balanced(t)
}

// A store that hangs is given up after the timeout and tried again.
func TestStoreHangs(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	st.setFail(func(ctx context.Context, _ store.Delivery) error {
		st.setFail(nil)
		<-ctx.Done()
		return ctx.Err()
	})
	run(t, addr, st, nil, func(c *collector.Config) { c.AppendTimeout = time.Second }).ready(t)
	e := connect(t, addr, "e")
	e.sendBatch(t, batch("e", 1, 5))
	e.awaitAck(t, 7, 1)
}

// Readings that the store itself refuses become rejections, the others are stored.
func TestStoreRefusesSome(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	st.setFail(func(_ context.Context, d store.Delivery) error {
		var refused traffic.Refused
		for i, r := range d.Readings {
			if r.Road == "E-R3" {
				refused.Items = append(refused.Items, traffic.Refusal{Index: i, Err: errors.New("not this one")})
			}
		}
		if len(refused.Items) > 0 {
			return fmt.Errorf("append: %w", &refused)
		}
		return nil
	})
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	e.sendBatch(t, batch("e", 1, 5))
	e.awaitAck(t, 7, 1)
	if rejected := st.rejections(); st.count() != 4 || len(rejected) != 1 || !strings.Contains(rejected[0].Detail, "not this one") {
		t.Errorf("%d stored, rejected %+v; want 4 and one", st.count(), rejected)
	}
	c.balanced(t)
}

// More messages than there is room for, from a broker that sends them all at once:
// memory is bounded, and what was left with the broker is fetched later.
func TestNoRoom(t *testing.T) {
	const messages = 9000
	server := rig.StartMosquitto(t, "max_inflight_messages 0", "max_queued_messages 0")
	st := newScripted()
	release := make(chan struct{})
	st.setFail(func(ctx context.Context, _ store.Delivery) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	c := run(t, server.Addr(), st, nil, nil).ready(t)
	e := connect(t, server.Addr(), "e")
	for i := range messages {
		e.client.Publish(wire.SensorTopic("S"), 1, false, sensorJSON("S", begin().Add(time.Duration(i)*time.Second)))
	}
	eventually(t, "messages are left with the broker", func() bool {
		return c.metric(t, "cityflow_collector_refused_messages_total") > 0
	})
	if n := c.metric(t, "cityflow_collector_queue_messages"); n > 8192 {
		t.Errorf("%g messages wait in memory, want at most 8192", n)
	}
	close(release)
	eventually(t, "all messages are stored", func() bool { return st.count() == messages })
	eventually(t, "the queue is empty", func() bool { return c.metric(t, "cityflow_collector_queue_messages") == 0 })
	if n := c.metric(t, "cityflow_collector_queue_bytes"); n != 0 {
		t.Errorf("%g bytes are said to wait in an empty queue", n)
	}
	c.balanced(t)
}

func TestBrokerRestarts(t *testing.T) {
	server := rig.StartMosquitto(t, "autosave_interval 1", "autosave_on_changes true")
	server.Kill(t)
	st := newScripted()
	c := run(t, server.Addr(), st, nil, nil) // there is no broker at start
	time.Sleep(300 * time.Millisecond)
	if err := c.BrokerReady(t.Context()); err == nil {
		t.Error("BrokerReady without a broker: no error")
	}
	server.Start(t)
	c.ready(t)
	e := connect(t, server.Addr(), "e")
	for seq := uint64(1); seq <= 4; seq++ {
		e.sendBatch(t, batch("e", seq, 5))
		e.awaitAck(t, 7, seq)
		if seq%2 == 0 {
			server.Kill(t)
		} else {
			server.Stop(t)
		}
		eventually(t, "the collector notices", func() bool { return c.BrokerReady(t.Context()) != nil })
		server.Start(t)
		c.ready(t)
		eventually(t, "the edge is back", e.client.IsConnectionOpen)
		await(t, e.client.Subscribe(wire.AckTopic("e"), 1, nil)) // a killed broker may have forgotten it
	}
	if got := st.count(); got != 20 {
		t.Errorf("%d readings are stored, want 20", got)
	}
	c.balanced(t)
}

// A bus that hangs or fails holds up nothing; what it missed is offered again, the
// newest state of each road.
func TestBusIsAHint(t *testing.T) {
	addr := rig.Mosquitto(t)
	st, live := newScripted(), &flakyBus{Bus: inproc.New()}
	live.broken.Store(true)
	news, err := live.Subscribe(t.Context(), bus.TopicLive)
	if err != nil {
		t.Fatal(err)
	}
	run(t, addr, st, live, nil).ready(t)
	e := connect(t, addr, "e")
	for seq := uint64(1); seq <= 10; seq++ {
		e.sendBatch(t, batch("e", seq, 3))
		e.awaitAck(t, 7, seq)
	}
	live.broken.Store(false)
	newest := map[traffic.RoadID]time.Time{}
	for len(newest) < 3 || newest["E-R0"] != begin().Add(10*time.Minute) {
		select {
		case ev := <-news:
			for _, s := range ev.Roads {
				newest[s.Road] = s.At
			}
		case <-time.After(patience):
			t.Fatalf("the news never caught up: %v", newest)
		}
	}
}

// flakyBus hangs while it is broken.
type flakyBus struct {
	*inproc.Bus
	broken atomic.Bool
}

func (b *flakyBus) Publish(ctx context.Context, e bus.Event) error {
	if b.broken.Load() {
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond):
		}
		return errors.New("no answer")
	}
	return b.Bus.Publish(ctx, e)
}

// Two collectors share the work; when one stops the other goes on.
func TestTwoCollectors(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	first := run(t, addr, st, nil, func(c *collector.Config) { c.Instance = "a" }).ready(t)
	second := run(t, addr, st, nil, func(c *collector.Config) { c.Instance = "b" }).ready(t)
	e := connect(t, addr, "e")
	for seq := uint64(1); seq <= 40; seq++ {
		e.sendBatch(t, batch("e", seq, 5))
	}
	for seq := uint64(1); seq <= 40; seq++ {
		e.awaitAck(t, 7, seq)
	}
	a, b := first.metric(t, "cityflow_collector_messages_stored_total"), second.metric(t, "cityflow_collector_messages_stored_total")
	if a == 0 || b == 0 || a+b != 200 {
		t.Errorf("the two stored %g and %g readings, want 200 together and both some", a, b)
	}
}

// What was acknowledged is stored, what was not comes again: also when the
// collector is stopped under load.
func TestStopUnderLoad(t *testing.T) {
	const batches = 200
	addr := rig.Mosquitto(t)
	st := newScripted()
	e := connect(t, addr, "e")
	c := run(t, addr, st, nil, nil).ready(t)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for seq := uint64(1); seq <= batches; seq++ {
			if err := e.offer(batch("e", seq, 20)); err != nil {
				t.Error(err)
			}
		}
	}()
	for stops := range 4 {
		eventually(t, "some are stored", func() bool { return st.count() > stops*400 })
		c.stop()
		c.balanced(t)
		c = run(t, addr, st, nil, nil).ready(t)
	}
	<-sent
	for seq := uint64(1); seq <= batches; seq++ {
		e.awaitAck(t, 7, seq)
	}
	if got := st.count(); got != batches*20 {
		t.Errorf("%d readings are stored, want %d", got, batches*20)
	}
}

func TestConfigIsValidated(t *testing.T) {
	for name, change := range map[string]func(*collector.Config){
		"broker URL":        func(c *collector.Config) { c.BrokerURL = "127.0.0.1:1883" },
		"one of the":        func(c *collector.Config) { c.BrokerURL = "http://u:secret@h:1" },
		"unreadable":        func(c *collector.Config) { c.BrokerURL = "tcp://u:secret@h:port" },
		"instance":          func(c *collector.Config) { c.Instance = "" },
		"max readings":      func(c *collector.Config) { c.MaxReadings = 0 },
		"max delay":         func(c *collector.Config) { c.MaxDelay = -1 },
		"append timeout":    func(c *collector.Config) { c.AppendTimeout = 0 },
		"max pending bytes": func(c *collector.Config) { c.MaxPendingBytes = 1 },
		"window":            func(c *collector.Config) { c.Window = 0 },
	} {
		cfg := collector.Default()
		change(&cfg)
		_, err := collector.New(cfg, newScripted(), inproc.New(), nil, nil)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one that names it and no password", name, err)
		}
	}
	cfg := collector.Default()
	if err := cfg.Validate(); err != nil {
		t.Errorf("the default is not valid: %v", err)
	}
}
