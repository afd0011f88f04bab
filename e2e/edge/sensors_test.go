package edge

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A measurement names one reading of a sensor by its time in seconds.
type measurement struct {
	sensor string
	second int64
}

// A sensor publishes one reading after the other with QoS 1, at most inFlight of them
// unacknowledged, and never one a second time.
type sensor struct {
	id   string
	addr string // of the edge's broker
	// every is the pause between two readings.
	every time.Duration

	mu    sync.Mutex
	sent  int                // guarded by mu: readings 0 to sent-1 were handed to the client
	acked map[int64]struct{} // guarded by mu: by second
	err   error              // guarded by mu: why the last one was not acknowledged
}

const inFlight = 8

// firstSecond is the event time of every sensor's first reading.
var firstSecond = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Unix()

// startSensors starts n sensors. stop ends them and returns when none has a reading on
// its way.
func startSensors(t *testing.T, addr string, n int, every time.Duration) (sensors []*sensor, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range n {
		s := &sensor{id: fmt.Sprintf("S%03d", i), addr: addr, every: every, acked: make(map[int64]struct{})}
		sensors = append(sensors, s)
		all.Go(func() { s.run(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return sensors, stop
}

// run connects again and again until ctx ends.
func (s *sensor) run(ctx context.Context) {
	for ctx.Err() == nil {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + s.addr).SetClientID(s.id).
			SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetWriteTimeout(5 * time.Second).SetPingTimeout(5 * time.Second))
		if t := client.Connect(); t.WaitTimeout(10*time.Second) && t.Error() == nil {
			s.publish(ctx, client)
			client.Disconnect(0)
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// publish publishes until the connection breaks or ctx ends, and waits for the
// acknowledgements that are still to come.
func (s *sensor) publish(ctx context.Context, client mqtt.Client) {
	pace := time.NewTicker(s.every)
	defer pace.Stop()
	room := make(chan struct{}, inFlight)
	var answers sync.WaitGroup
	defer answers.Wait()
	for client.IsConnectionOpen() {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		select {
		case <-ctx.Done():
			return
		case room <- struct{}{}:
		}
		second, payload := s.next()
		token := client.Publish("cityflow/traffic/"+s.id, 1, false, payload)
		answers.Go(func() {
			s.answered(second, token)
			<-room
		})
	}
}

func (s *sensor) next() (second int64, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	second = firstSecond + int64(s.sent)
	s.sent++
	return second, fmt.Sprintf(`{"ts":%q,"sensor_id":%q,"speed_kmh":%d,"occupancy":0.1}`,
		time.Unix(second, 0).UTC().Format(time.RFC3339), s.id, 20+s.sent%40)
}

// answered notes whether a reading was acknowledged. One that is not answered within a
// minute counts as not acknowledged, whatever becomes of it.
func (s *sensor) answered(second int64, token mqtt.Token) {
	done := token.WaitTimeout(time.Minute)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !done:
		s.err = fmt.Errorf("reading %d was not answered", second)
	case token.Error() != nil:
		s.err = token.Error()
	default:
		s.acked[second] = struct{}{}
	}
}

// acknowledged is how many readings of all sensors were acknowledged so far.
func acknowledged(sensors []*sensor) int {
	n := 0
	for _, s := range sensors {
		s.mu.Lock()
		n += len(s.acked)
		s.mu.Unlock()
	}
	return n
}

// compare wants each acknowledged reading among the stored ones, each once, and nothing
// stored that no sensor sent.
func compare(t *testing.T, sensors []*sensor, stored map[measurement]int) {
	t.Helper()
	lost, doubled, acked, sent := 0, 0, 0, 0
	for _, s := range sensors {
		s.mu.Lock()
		for second := range s.acked {
			if stored[measurement{s.id, second}] == 0 {
				lost++
			}
		}
		for i := range s.sent {
			key := measurement{s.id, firstSecond + int64(i)}
			if stored[key] > 1 {
				doubled++
			}
			delete(stored, key)
		}
		acked, sent = acked+len(s.acked), sent+s.sent
		s.mu.Unlock()
	}
	t.Logf("%d readings sent, %d acknowledged", sent, acked)
	if acked == 0 || lost > 0 || doubled > 0 || len(stored) > 0 {
		t.Errorf("of %d acknowledged readings %d are lost, %d are doubled, and %d are stored that nobody sent", acked, lost, doubled, len(stored))
	}
}
