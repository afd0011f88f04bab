package agent

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// childDir and childURL make this test binary run an agent instead of tests.
const (
	childDir = "CITYFLOW_TEST_EDGE_DIR"
	childURL = "CITYFLOW_TEST_EDGE_URL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := beChild(dir, os.Getenv(childURL)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // this is a main
		}
		return
	}
	leakCheck(m)
}

func beChild(dir, url string) error {
	cfg := testConfig(dir)
	cfg.Uplink.URL = url
	cfg.Uplink.AckTimeout = 300 * time.Millisecond
	cfg.Buffer.SegmentBytes, cfg.Buffer.MaxBytes = 256<<10, 1<<30
	a, err := New(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println(a.Addr()) // from now on it may be killed or told to stop
	return a.Run(ctx)
}

// A child is an agent in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func startChild(t *testing.T, dir, url string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the agent does not start: %v", err)
	}
	return &child{cmd, strings.TrimSpace(line)}
}

// A ledger is what sensors know: the readings sent, and those acknowledged.
type ledger struct {
	mu    sync.Mutex
	sent  map[farend.Key]bool
	acked map[farend.Key]bool
}

// send publishes messages of n readings, each reading once in its life, until the
// connection ends.
func (l *ledger) send(t *testing.T, addr, name string, qos byte) {
	sensor := farend.Dial(t, addr, name)
	var waiting sync.WaitGroup
	slots := make(chan struct{}, 100)
	for i := 0; sensor.IsConnectionOpen(); i++ {
		slots <- struct{}{}
		rs := traffictest.Readings(fmt.Sprintf("%s-%d", name, i), 1+i%7)
		l.note(l.sent, rs)
		token := sensor.Publish(wire.SensorTopicAlt, qos, false, encodeSensor(t, rs...))
		waiting.Go(func() {
			defer func() { <-slots }()
			for end := time.Now().Add(farend.Patience); time.Now().Before(end); {
				gone := !sensor.IsConnectionOpen()
				if token.WaitTimeout(50*time.Millisecond) && token.Error() == nil {
					l.note(l.acked, rs)
					return
				}
				if gone || token.Error() != nil { // paho does not answer for all of them
					return
				}
			}
		})
	}
	waiting.Wait()
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *ledger) note(in map[farend.Key]bool, rs []traffic.Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rs {
		in[farend.Key{Sensor: r.Sensor, At: r.At}] = true
	}
}

// Every reading that was acknowledged to a sensor arrives at the collector, in exactly one
// batch, although the agent is killed again and again under load.
func TestKill(t *testing.T) {
	m := rig.Mosquitto(t)
	dir := t.TempDir()
	var lossy sync.Mutex
	n := 0
	c := farend.Start(t, m, func(c *farend.Collector, b *wire.Batch) {
		lossy.Lock()
		n++
		lose := n%5 == 0
		lossy.Unlock()
		if !lose {
			farend.AckAtOnce(c, b)
		}
	})
	l := &ledger{sent: map[farend.Key]bool{}, acked: map[farend.Key]bool{}}
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		edge := startChild(t, dir, "tcp://"+m)
		var sensors sync.WaitGroup
		for s := range 3 {
			sensors.Go(func() { l.send(t, edge.addr, fmt.Sprintf("r%d-s%d", round, s), 1+byte(s%2)) })
		}
		enough := l.count() + 200 + rand.N(600)
		farend.WaitFor(t, "acknowledgements", func() bool { return l.count() >= enough })
		if err := edge.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = edge.cmd.Wait()
		sensors.Wait()
	}
	last := startChild(t, dir, "tcp://"+m)
	missing := func() (n int) {
		got := c.Readings()
		for k := range l.acked {
			if got[k] == 0 {
				n++
			}
		}
		return n
	}
	farend.WaitFor(t, "all acknowledged readings", func() bool { return missing() == 0 })
	if err := last.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := last.cmd.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	for k, n := range c.Readings() {
		if n != 1 || !l.sent[k] {
			t.Errorf("reading %v is in %d batches, sent: %v", k, n, l.sent[k])
		}
	}
	t.Logf("%d readings sent, %d acknowledged, %d at the collector, over %d kills", len(l.sent), len(l.acked), len(c.Readings()), rounds)
	a := newAgent(t, testConfig(dir))
	defer a.Close()
	if n := a.buffer.Stats().Batches; n > 64 {
		t.Errorf("%d batches are left over", n)
	}
}
