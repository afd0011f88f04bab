package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// The city of the benchmark: every edge has sensors of its own, each a road of its own,
// that measure every ten seconds. A batch holds some turns of all sensors of an edge, as
// after a pause of the link or from an edge that gathers.
const (
	cityEdges   = 50
	edgeSensors = 100
	batchTurns  = 10
	batchSize   = edgeSensors * batchTurns
	citySensors = cityEdges * edgeSensors
	// edgeWindow is how many batches an edge has out.
	edgeWindow = 4
)

// A cityBatch is a batch of the city's stream: its number counts batches of all edges in
// turn, from 0.
type cityBatch int

func (n cityBatch) edge() int { return int(n) % cityEdges }

// reading is one of the batch: a sensor's, of one turn.
func (n cityBatch) reading(sensor, turn int) traffic.Reading {
	step := int(n)/cityEdges*batchTurns + turn
	j := step*citySensors + n.edge()*edgeSensors + sensor
	id := fmt.Sprintf("PARIS-%04d", n.edge()*edgeSensors+sensor)
	return traffic.Reading{
		At:     time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(step) * 10 * time.Second),
		Sensor: traffic.SensorID(id), Road: traffic.RoadID(id), Edge: edgeName(n.edge()),
		Speed: traffic.Some(float64(j%97) / 1.7), Flow: traffic.Some(float64(j % 1801)), Occupancy: traffic.Some(float64(j%89) / 89),
		Score: traffic.Some(float64(j%83) / 83),
	}
}

func edgeName(n int) traffic.EdgeID { return traffic.EdgeID(fmt.Sprintf("edge-%d", n)) }

// payload is the batch as its edge publishes it, turn by turn.
func (n cityBatch) payload(tb testing.TB) []byte {
	b := &wire.Batch{Edge: edgeName(n.edge()), Epoch: 1, Seq: uint64(n)/cityEdges + 1}
	for turn := range batchTurns {
		for sensor := range edgeSensors {
			b.Readings = append(b.Readings, n.reading(sensor, turn))
		}
	}
	p, err := wire.EncodeBatch(b)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// copyRows is what COPY … FROM STDIN BINARY takes: the readings of some batches, in the
// order of the key.
func copyRows(from cityBatch, batches int) []byte {
	b := []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	text := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	number := func(n uint64) { b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), n) }
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range batches {
		for k := range batchSize {
			r := (from + cityBatch(n)).reading(k/batchTurns, k%batchTurns)
			b = binary.BigEndian.AppendUint16(b, 9)
			number(uint64(r.At.Sub(epoch).Microseconds()))
			text(string(r.Sensor))
			text(string(r.Road))
			for _, v := range []traffic.Value{r.Speed, r.Flow, r.Occupancy, r.Score} {
				number(math.Float64bits(v.Or(0)))
			}
			number(uint64(r.Quality))
			text(string(r.Edge))
		}
	}
	return binary.BigEndian.AppendUint16(b, math.MaxUint16)
}

// envProgram makes a child of the test binary the program.
const envProgram = "CITYFLOW_TEST_COLLECTOR"

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) != "" {
		main()
		return
	}
	m.Run()
}

// A child is the program as a process of its own.
type child struct {
	cmd *exec.Cmd
	ops string
}

// startChild starts the program and waits until it is ready. It is killed with the test.
func startChild(tb testing.TB, dsn, redis, broker string, more ...string) *child {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	c := &child{ops: freeAddr(tb)}
	args := append([]string{
		"--database-url", dsn, "--redis-url", "redis://" + redis + "/0", "--broker-url", "tcp://" + broker,
		"--http-addr", c.ops, "--log-level", "error",
	}, more...)
	c.cmd = exec.Command(self, args...)
	c.cmd.Env = append(os.Environ(), envProgram+"=1")
	c.cmd.Stdout, c.cmd.Stderr = tb.Output(), tb.Output()
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.kill)
	eventually(tb, "the program is ready", func() bool { return strings.HasPrefix(body("http://"+c.ops+"/readyz"), "200") })
	return c
}

// kill ends it with SIGKILL.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// peakMiB is the most memory that it held (VmHWM).
func (c *child) peakMiB(tb testing.TB) float64 {
	tb.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if kb, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(kb, "kB")), 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n / 1024
		}
	}
	tb.Fatal("the kernel does not say how much memory the program held")
	return 0
}

// cityEdgeClients are the uplinks of all edges.
type cityEdgeClients struct {
	tb      testing.TB
	clients [cityEdges]mqtt.Client
	acked   [cityEdges]chan int
}

func connectEdges(tb testing.TB, broker *rig.Server) *cityEdgeClients {
	tb.Helper()
	c := &cityEdgeClients{tb: tb}
	for e := range c.clients {
		c.acked[e] = make(chan int, 1024)
		c.clients[e] = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker.Addr()).SetClientID(string(edgeName(e))).
			SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
				if a, err := wire.DecodeAck(m.Payload()); err == nil {
					c.acked[e] <- len(a.Seqs)
				}
			}))
		done(tb, c.clients[e].Connect())
		tb.Cleanup(func() { c.clients[e].Disconnect(100) })
		done(tb, c.clients[e].Subscribe(wire.AckTopic(edgeName(e)), 1, nil))
	}
	return c
}

// send publishes batches, each edge its own in order and at most a window of them
// unacknowledged, and returns how long it took until all were acknowledged.
func (c *cityEdgeClients) send(batches []cityBatch) time.Duration {
	c.tb.Helper()
	var payloads [cityEdges][][]byte
	for _, n := range batches {
		payloads[n.edge()] = append(payloads[n.edge()], n.payload(c.tb))
	}
	began := time.Now()
	var all sync.WaitGroup
	for e := range payloads {
		all.Go(func() { c.sendOf(e, payloads[e]) })
	}
	all.Wait()
	return time.Since(began)
}

func (c *cityEdgeClients) sendOf(e int, payloads [][]byte) {
	for sent, acked := 0, 0; acked < len(payloads); {
		for sent < len(payloads) && sent-acked < edgeWindow {
			c.clients[e].Publish(wire.BatchTopic(edgeName(e)), 1, false, payloads[sent])
			sent++
		}
		select {
		case n := <-c.acked[e]:
			acked += n
		case <-time.After(patience):
			c.tb.Errorf("edge %d: %d of %d batches were acknowledged", e, acked, len(payloads))
			return
		}
	}
}
