package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A stubborn edge publishes batch after batch and all that is not acknowledged again and
// again.
type stubborn struct {
	id     traffic.EdgeID
	client mqtt.Client

	mu   sync.Mutex
	kept map[uint64][]byte // guarded by mu: what is not acknowledged
	sent uint64            // guarded by mu
	last time.Time         // guarded by mu: when it was last sent again
}

const stubbornReadings = 20

func connectStubborn(t *testing.T, broker string, id traffic.EdgeID) *stubborn {
	e := &stubborn{id: id, kept: map[uint64][]byte{}}
	e.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(string(id)).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			a, err := wire.DecodeAck(m.Payload())
			if err != nil {
				t.Errorf("acknowledgement: %v", err)
				return
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			for _, seq := range a.Seqs {
				delete(e.kept, seq)
			}
		}))
	done(t, e.client.Connect())
	t.Cleanup(func() { e.client.Disconnect(100) })
	done(t, e.client.Subscribe(wire.AckTopic(id), 1, nil))
	return e
}

// stubbornWindow is how many batches an edge has out, stubbornPause how long it waits
// until it sends them again.
const (
	stubbornWindow = 20
	stubbornPause  = 500 * time.Millisecond
)

// next makes and publishes a batch, unless too many are out.
func (e *stubborn) next(t *testing.T) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.kept) >= stubbornWindow {
		return
	}
	e.sent++
	b := &wire.Batch{Edge: e.id, Epoch: 1, Seq: e.sent}
	for i := range stubbornReadings {
		id := fmt.Sprintf("%s-%d", e.id, i)
		b.Readings = append(b.Readings, traffic.Reading{
			At:     time.Date(2026, 3, 2, 8, 0, int(e.sent), 0, time.UTC),
			Sensor: traffic.SensorID(id), Road: traffic.RoadID(id), Speed: traffic.Some(30), Score: traffic.Some(0.5),
		})
	}
	p, err := wire.EncodeBatch(b)
	if err != nil {
		t.Error(err)
		return
	}
	e.kept[e.sent] = p
	e.client.Publish(wire.BatchTopic(e.id), 1, false, p)
}

// again publishes twice what is not acknowledged, as if an answer had been lost: two
// collectors get the same batch at the same time.
func (e *stubborn) again() (left int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.last) < stubbornPause {
		return len(e.kept)
	}
	e.last = time.Now()
	for _, p := range e.kept {
		e.client.Publish(wire.BatchTopic(e.id), 1, false, p)
		e.client.Publish(wire.BatchTopic(e.id), 1, false, p)
	}
	return len(e.kept)
}

func (e *stubborn) total() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int(e.sent) * stubbornReadings
}

// Two collectors share what some edges send, again and again, while one of them and the
// database server are killed in the middle of batches and Redis is away for a while. In
// the end every batch is acknowledged and every reading is stored once.
func TestKilledInTheMiddleOfBatches(t *testing.T) {
	postgres := rig.StartPostgres(t, rig.PostgresOptions{Durable: true, Child: true})
	broker, redis := rig.StartMosquitto(t).Addr(), rig.StartRedis(t)
	dsn := postgres.Database(t)
	startChild(t, dsn, redis.Addr(), broker, "--instance", "stays")
	var edges []*stubborn
	for i := range 3 {
		edges = append(edges, connectStubborn(t, broker, traffic.EdgeID(fmt.Sprintf("edge%d", i))))
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			for _, e := range edges {
				e.next(t)
				e.again()
			}
		}
	})
	for range 2 {
		victim := startChild(t, dsn, redis.Addr(), broker, "--instance", "dies")
		time.Sleep(100 * time.Millisecond)
		victim.kill()
	}
	redis.Kill(t)
	postgres.Kill(t)
	postgres.Start(t)
	redis.Start(t)
	close(stop)
	load.Wait()
	want := 0
	for _, e := range edges {
		eventually(t, fmt.Sprintf("all batches of %s are acknowledged", e.id), func() bool { return e.again() == 0 })
		want += e.total()
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var rows, batches int
	err = conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM traffic_raw), (SELECT count(*) FROM edge_batches)`).Scan(&rows, &batches)
	if err != nil || rows != want || batches*stubbornReadings != want {
		t.Errorf("%d rows of %d batches, %v; want %d of %d", rows, batches, err, want, want/stubbornReadings)
	}
}
