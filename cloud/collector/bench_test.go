package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// instant is a store that costs nothing, to measure the collector alone.
type instant struct{ forgetful }

// forgetful keeps nothing of sensors.
type forgetful struct{}

func (forgetful) PutSensors(context.Context, []traffic.SensorHealth) error { return nil }

func (forgetful) Sensors(context.Context, store.SensorQuery) ([]traffic.SensorHealth, store.Cursor, error) {
	return nil, "", nil
}

func (instant) Append(_ context.Context, d store.Delivery) (store.Appended, error) {
	return store.Appended{New: len(d.Readings)}, nil
}

// BenchmarkBatches measures readings per second from the broker to the
// acknowledgement, with batches of 500 readings from 4 edges, 16 of each under way.
// The broker and the edges run on the same machine and are included.
func BenchmarkBatches(b *testing.B) {
	b.Run("instant store", func(b *testing.B) { benchBatches(b, instant{}) })
	b.Run("sqlite", func(b *testing.B) {
		st, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "city.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		defer st.Close()
		benchBatches(b, st)
	})
}

func benchBatches(b *testing.B, st collector.Store) {
	const edges, readings, window = 4, 500, 16
	addr := rig.Mosquitto(b)
	stop := benchCollector(b, addr, st)
	defer stop()
	payloads := make([][][]byte, edges)
	for e := range payloads {
		for seq := range uint64(b.N) {
			p, err := wire.EncodeBatch(batch(traffic.EdgeID(fmt.Sprint("e", e)), seq+1, readings))
			if err != nil {
				b.Fatal(err)
			}
			payloads[e] = append(payloads[e], p)
		}
	}
	var all sync.WaitGroup
	b.ResetTimer()
	for e, batches := range payloads {
		all.Go(func() { benchEdge(b, addr, traffic.EdgeID(fmt.Sprint("e", e)), batches, window) })
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(edges*readings*b.N)/b.Elapsed().Seconds(), "readings/s")
}

func benchCollector(b *testing.B, addr string, st collector.Store) (stop func()) {
	cfg := collector.Default()
	cfg.BrokerURL = "tcp://" + addr
	c, err := collector.New(cfg, st, inproc.New(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	for c.BrokerReady(ctx) != nil {
		time.Sleep(time.Millisecond)
	}
	return func() { cancel(); <-ended }
}

// benchEdge publishes the batches, at most window of them unacknowledged.
func benchEdge(b *testing.B, addr string, id traffic.EdgeID, batches [][]byte, window int) {
	room := make(chan struct{}, window)
	acked := make(chan int, 1024)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(string(id)).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			if a, err := wire.DecodeAck(m.Payload()); err == nil {
				acked <- len(a.Seqs)
			}
		}))
	if t := client.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		b.Errorf("connect: %v", t.Error())
		return
	}
	defer client.Disconnect(100)
	if t := client.Subscribe(wire.AckTopic(id), 1, nil); !t.WaitTimeout(patience) || t.Error() != nil {
		b.Errorf("subscribe: %v", t.Error())
		return
	}
	go func() {
		for _, p := range batches {
			room <- struct{}{}
			client.Publish(wire.BatchTopic(id), 1, false, p)
		}
	}()
	for n := 0; n < len(batches); {
		select {
		case k := <-acked:
			n += k
			for range k {
				<-room
			}
		case <-time.After(patience):
			b.Errorf("%d of %d batches were acknowledged", n, len(batches))
			return
		}
	}
}

// BenchmarkSensorMessages measures messages of one reading each, from 4 connections.
func BenchmarkSensorMessages(b *testing.B) {
	const sensors = 4
	addr := rig.StartMosquitto(b, "max_inflight_messages 1000", "max_queued_messages 0").Addr()
	st := &counting{}
	stop := benchCollector(b, addr, st)
	defer stop()
	var all sync.WaitGroup
	b.ResetTimer()
	for s := range sensors {
		all.Go(func() {
			client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(fmt.Sprint("s", s)))
			if t := client.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
				b.Errorf("connect: %v", t.Error())
				return
			}
			defer client.Disconnect(100)
			for i := range b.N {
				client.Publish(wire.SensorTopic("S"), 1, false, sensorJSON(fmt.Sprint("S", s), begin().Add(time.Duration(i)*time.Second)))
			}
			st.wait(sensors * b.N)
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(sensors*b.N)/b.Elapsed().Seconds(), "readings/s")
}

// counting is an instant store that knows how much it got.
type counting struct {
	forgetful

	mu sync.Mutex
	n  int // guarded by mu
}

func (c *counting) Append(_ context.Context, d store.Delivery) (store.Appended, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += len(d.Readings)
	return store.Appended{New: len(d.Readings)}, nil
}

func (c *counting) wait(n int) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		have := c.n
		c.mu.Unlock()
		if have >= n {
			return
		}
	}
}
