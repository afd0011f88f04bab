package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

func testConfig(dir string) Config {
	cfg := Default()
	cfg.Edge, cfg.Version = "E1", "v1.2.3"
	cfg.Broker.Addr = "127.0.0.1:0"
	cfg.Broker.FailurePause = 10 * time.Millisecond
	cfg.Buffer.Dir, cfg.Buffer.CommitInterval = dir, 5*time.Millisecond
	cfg.Uplink.AckTimeout, cfg.Uplink.MinPause, cfg.Uplink.MaxPause = time.Second, 20*time.Millisecond, 100*time.Millisecond
	cfg.Uplink.DrainTimeout = 100 * time.Millisecond
	cfg.ScoreInterval = 50 * time.Millisecond
	return cfg
}

func newAgent(t testing.TB, cfg Config) *Agent {
	t.Helper()
	a, err := New(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// running starts a part of an agent; stop ends it and reports its error.
func running(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(farend.Patience):
			t.Error("does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

func start(t testing.TB, cfg Config) *Agent {
	t.Helper()
	a := newAgent(t, cfg)
	running(t, a.Run)
	return a
}

func encodeSensor(t testing.TB, rs ...traffic.Reading) []byte {
	t.Helper()
	p, err := wire.EncodeSensor(rs)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func publish(t testing.TB, c mqtt.Client, topic string, qos byte, payload []byte) {
	t.Helper()
	if token := c.Publish(topic, qos, false, payload); !token.WaitTimeout(farend.Patience) || token.Error() != nil {
		t.Fatalf("publish: %v", token.Error())
	}
}

// The whole way with the agent's own broker as the central one: QoS 0, 1 and 2, one
// reading and arrays, both topics.
func TestDelivers(t *testing.T) {
	a := start(t, testConfig(t.TempDir()))
	c := farend.Start(t, a.Addr(), farend.AckAtOnce)
	sensor := farend.Dial(t, a.Addr(), "sensor")
	rs := traffictest.Readings("s", 300)
	want := len(rs)
	for i, chunk := 0, 1; len(rs) > 0; i, chunk = i+1, min(chunk+1, len(rs)) {
		topic := wire.SensorTopic(rs[0].Sensor)
		if i%2 == 1 {
			topic = wire.SensorTopicAlt
		}
		publish(t, sensor, topic, byte(i%3), encodeSensor(t, rs[:chunk]...))
		rs = rs[chunk:]
	}
	farend.WaitFor(t, "all readings", func() bool { return len(c.Readings()) == want })
	farend.WaitFor(t, "the buffer to be empty", func() bool { return a.buffer.Stats().Batches == 0 })
	if err := a.CheckUplink(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.CheckBuffer(t.Context()); err != nil {
		t.Error(err)
	}
}

// Mosquitto's own tools, as a user would: a reading goes in, subscribers see it and its
// score, and the score is retained.
func TestMosquittoTools(t *testing.T) {
	for _, tool := range []string{"mosquitto_pub", "mosquitto_sub", "stdbuf"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: apt-get install mosquitto-clients coreutils", tool)
		}
	}
	a := start(t, testConfig(t.TempDir()))
	c := farend.Start(t, a.Addr(), farend.AckAtOnce)
	host, port, _ := strings.Cut(a.Addr(), ":")
	at := traffictest.Base()
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1", "2"} {
			at = at.Add(time.Minute)
			reading := `{"ts":"` + at.Format(time.RFC3339) + `","sensor_id":"PARIS-4521","speed_kmh":3,"flow_rate":840,"occupancy":0.6,"label":"Bd Voltaire","lat":48.858,"lng":2.379}`
			args := []string{"-h", host, "-p", port, "-V", version, "-q", qos, "-t"}
			saw := subscribe(t, append(args, "cityflow/traffic/#", "-C", "1", "-W", "20", "-d"))
			pub := exec.CommandContext(t.Context(), "mosquitto_pub", append(args, "cityflow/traffic/PARIS-4521", "-m", reading)...)
			if said, err := pub.CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_pub: %v: %s", err, said)
			}
			if out := saw(); !strings.Contains(out, reading) {
				t.Errorf("%s QoS %s: the subscriber saw %s", version, qos, out)
			}
		}
	}
	farend.WaitFor(t, "6 readings", func() bool { return len(c.Readings()) == 6 })
	said, err := exec.CommandContext(t.Context(), "mosquitto_sub", "-h", host, "-p", port, "-t", "cityflow/score/PARIS-4521", "-C", "1", "-W", "20").Output()
	if err != nil {
		t.Fatal(err)
	}
	var score scoreJSON
	if err := json.Unmarshal(said, &score); err != nil || score.Road != "PARIS-4521" || score.Score < 0.5 || score.At == nil {
		t.Errorf("the score topic says %s", said)
	}
}

// subscribe starts mosquitto_sub and returns when it is subscribed; saw waits for its end
// and returns what it wrote.
func subscribe(t *testing.T, args []string) (saw func() string) {
	t.Helper()
	sub := exec.CommandContext(t.Context(), "stdbuf", append([]string{"-oL", "mosquitto_sub"}, args...)...)
	out, err := sub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "SUBACK") {
	}
	return func() string {
		t.Helper()
		var all strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&all, lines.Text())
		}
		if err := sub.Wait(); err != nil {
			t.Errorf("mosquitto_sub: %v", err)
		}
		return all.String()
	}
}

// A message that can never be taken is answered, counted and reported upstream, and its
// good neighbours are kept.
func TestRejects(t *testing.T) {
	a := start(t, testConfig(t.TempDir()))
	c := farend.Start(t, a.Addr(), farend.AckAtOnce)
	sensor := farend.Dial(t, a.Addr(), "sensor")
	publish(t, sensor, "cityflow/traffic/X", 1, []byte("not JSON"))
	bad := traffictest.Readings("s", 3)
	bad[1].Speed = traffic.Some(900)
	publish(t, sensor, "cityflow/traffic/Y", 2, encodeSensor(t, bad...))
	farend.WaitFor(t, "2 readings and 2 rejections", func() bool { return len(c.Readings()) == 2 && len(c.Rejected()) == 2 })
	reasons := map[traffic.Reason]string{}
	for _, r := range c.Rejected() {
		reasons[r.Reason] = r.Origin
	}
	if reasons[traffic.ReasonParse] != "cityflow/traffic/X" || reasons[traffic.ReasonRange] != "cityflow/traffic/Y" {
		t.Errorf("rejected %v", reasons)
	}
}

func TestAllowance(t *testing.T) {
	a := newAllowance(5)
	now := traffictest.Base()
	if got := a.take(80, now); got != 50 {
		t.Errorf("got %d of 80 at first, want 50", got)
	}
	if got := a.take(1, now.Add(-time.Hour)); got != 0 {
		t.Errorf("a clock that goes back earns %d", got)
	}
	now = now.Add(-time.Hour)
	if got := a.take(80, now.Add(2*time.Second)); got != 10 {
		t.Errorf("got %d of 80 after 2 s, want 10", got)
	}
	if got := a.take(80, now.Add(time.Hour)); got != 50 {
		t.Errorf("got %d of 80 after an hour, want 50", got)
	}
}

func TestBoard(t *testing.T) {
	b := newBoard(2)
	rs := traffictest.Readings("s", 3) // three roads, one too many
	for i := range rs {
		rs[i].Score = traffic.Some(float64(i) / 10)
	}
	b.note(rs)
	later := rs[0]
	later.At, later.Score = later.At.Add(time.Minute), traffic.Some(0.9)
	unscored := rs[1]
	unscored.At, unscored.Score = unscored.At.Add(time.Minute), traffic.Value{}
	b.note([]traffic.Reading{later, rs[0], unscored})
	news := b.news()
	if len(news) != 2 || news[0].score != 0.9 || !news[0].at.Equal(later.At) || news[1].score != 0.1 {
		t.Errorf("news are %+v", news)
	}
	if again := b.news(); len(again) != 0 {
		t.Errorf("old news: %+v", again)
	}
	b.note(rs[:1]) // older than what was published
	if stale := b.news(); len(stale) != 0 {
		t.Errorf("stale news: %+v", stale)
	}
}

// The parts stop one by one: the door, then the uplink, and what was acknowledged to a
// sensor is at the collector before the broker closes.
func TestStopsInOrder(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Uplink.DrainTimeout = farend.Patience
	a := newAgent(t, cfg)
	stopBroker := running(t, a.RunBroker)
	c := farend.Start(t, a.Addr(), func(c *farend.Collector, b *wire.Batch) {
		time.Sleep(20 * time.Millisecond)
		farend.AckAtOnce(c, b)
	})
	stopUplink := running(t, a.RunUplink)
	stopIntake := running(t, a.RunIntake)

	sensor := farend.Dial(t, a.Addr(), "sensor")
	var mu sync.Mutex
	acked := 0
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := 0; sensor.IsConnectionOpen(); i++ {
			token := sensor.Publish(wire.SensorTopicAlt, 1, false, encodeSensor(t, traffictest.Readings(fmt.Sprint(i), 10)...))
			sending.Go(func() {
				if token.WaitTimeout(farend.Patience) && token.Error() == nil {
					mu.Lock()
					acked += 10
					mu.Unlock()
				}
			})
		}
	})
	time.Sleep(300 * time.Millisecond)
	stopIntake()
	sending.Wait() // the sensor was sent away
	stopUplink()
	if n := a.buffer.Stats().Batches; n != 0 {
		t.Errorf("%d batches are left after the uplink drained", n)
	}
	if got := len(c.Readings()); acked == 0 || got < acked {
		t.Errorf("the collector has %d readings, %d were acknowledged", got, acked)
	}
	stopBroker()
}

func TestFullBufferSendsSensorsAway(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Buffer.SegmentBytes, cfg.Buffer.MaxBytes, cfg.Buffer.WhenFull = 64<<10, 4<<20+320<<10, "refuse"
	a := start(t, cfg)
	sensor := farend.Dial(t, a.Addr(), "sensor")
	refused := false
	for i := 0; !refused && i < 10_000; i++ {
		rs := traffictest.Readings(fmt.Sprint(i), 200)
		for j := range rs {
			rs[j].Place = &traffic.Place{Label: fmt.Sprintf("%x", time.Now().UnixNano()*int64(j+1))}
		}
		token := sensor.Publish(wire.SensorTopicAlt, 1, false, encodeSensor(t, rs...))
		refused = !token.WaitTimeout(farend.Patience) || token.Error() != nil || !sensor.IsConnectionOpen()
	}
	if !refused || a.CheckBuffer(t.Context()) == nil {
		t.Fatalf("refused %v, readiness %v", refused, a.CheckBuffer(t.Context()))
	}
	farend.Start(t, a.Addr(), farend.AckAtOnce)
	farend.WaitFor(t, "the buffer to drain", func() bool { return a.buffer.Stats().Batches == 0 })
	publish(t, farend.Dial(t, a.Addr(), "sensor"), wire.SensorTopicAlt, 1, encodeSensor(t, traffictest.Readings("again", 1)...))
}

func TestStatus(t *testing.T) {
	a := start(t, testConfig(t.TempDir()))
	sensor := farend.Dial(t, a.Addr(), "sensor")
	publish(t, sensor, wire.SensorTopicAlt, 1, encodeSensor(t, traffictest.Readings("s", 10)...))
	got := make(chan []byte, 10)
	sensor.Subscribe(wire.StatusTopic("E1"), 1, func(_ mqtt.Client, m mqtt.Message) { got <- m.Payload() })
	var s Status
	select {
	case p := <-got:
		if err := json.Unmarshal(p, &s); err != nil {
			t.Fatal(err)
		}
	case <-time.After(farend.Patience):
		t.Fatal("no status is retained")
	}
	if s.Edge != "E1" || s.State != "online" || s.Version != "v1.2.3" || s.At == nil || s.Buffer.Bytes == 0 || s.Buffer.MaxBytes == 0 || s.Clock.Source != "operator" || s.Uplink.ConnectedS == nil {
		t.Errorf("status %+v", s)
	}
	if err := json.Unmarshal(a.status(), &s); err != nil || s.Buffer.Batches != 1 || s.Buffer.WrittenBytes == 0 || s.Buffer.Syncs == 0 {
		t.Errorf("status %+v: %v", s, err)
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	a, err := New(testConfig(t.TempDir()), nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "cityflow_edge_") || f.GetHelp() == "" {
			t.Errorf("metric %s: %q", f.GetName(), f.GetHelp())
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestBadConfig(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Edge, cfg.MaxRoads = "", 0
	if _, err := New(cfg, nil, prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), `edge: ""`) {
		t.Errorf("got %v", err)
	}
	cfg = testConfig(t.TempDir())
	cfg.Uplink.URL = "nowhere"
	if _, err := New(cfg, nil, prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("got %v", err)
	}
}

func leakCheck(m *testing.M) { goleak.VerifyTestMain(m) }
