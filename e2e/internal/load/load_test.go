package load_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/load"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// What the load publishes through a real broker is what arrives, once each; the batch
// topic lets the collector be the witness.
func TestLoadArrives(t *testing.T) {
	addr := rig.Mosquitto(t)
	const edge = traffic.EdgeID("witness")
	c, err := load.Collect(addr, edge)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	next := uint64(0)
	batch := func(connection, n int) (string, []byte) {
		mu.Lock()
		next++
		seq := next
		mu.Unlock()
		p, err := wire.EncodeBatch(&wire.Batch{Edge: edge, Epoch: uint64(connection + 1), Seq: seq, Readings: readings(n)})
		if err != nil {
			t.Error(err)
		}
		return wire.BatchTopic(edge), p
	}
	for _, plan := range []load.Plan{
		{Connections: 3, InFlight: 4, Messages: 100},
		{Connections: 2, InFlight: 1, Messages: 20, Rate: 1000},
		{Connections: 1, InFlight: 64, Messages: 70, Prepared: 70},
	} {
		plan.Addr, plan.Message = addr, batch
		r, err := load.Run(plan)
		if err != nil {
			t.Fatal(err)
		}
		if r.Messages != plan.Messages || r.PerSecond() <= 0 || r.Latency(0.5) <= 0 || r.Latency(1) < r.Latency(0.5) {
			t.Errorf("%+v: %d messages, %f a second, median %s, longest %s", plan, r.Messages, r.PerSecond(), r.Latency(0.5), r.Latency(1))
		}
	}
	want := 190
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, _ := c.Batches()
		if len(got) == want {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d batches came, want %d", len(got), want)
		}
	}
	seen := map[uint64]bool{}
	got, bytes := c.Batches()
	for _, a := range got {
		b, err := wire.DecodeBatch(a.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if seen[b.Seq] {
			t.Errorf("batch %d came twice", b.Seq)
		}
		seen[b.Seq] = true
		bytes -= int64(len(a.Payload))
	}
	if bytes != 0 {
		t.Errorf("%d bytes do not belong to a batch", bytes)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunNamesWhatFailed(t *testing.T) {
	_, err := load.Run(load.Plan{Addr: "127.0.0.1:1", Connections: 2, InFlight: 1, Messages: 1})
	if err == nil {
		t.Error("a load without a broker succeeds")
	}
}

func readings(n int) []traffic.Reading {
	var text [2]byte
	binary.BigEndian.PutUint16(text[:], uint16(n))
	return []traffic.Reading{{
		Sensor: traffic.SensorID(fmt.Sprintf("S-%x", text)), Road: "R", At: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC),
		Speed: traffic.Some(float64(n)),
	}}
}
