package agent

import (
	"strings"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// isSensorTopic reports whether a topic matches wire.SensorFilter or is
// wire.SensorTopicAlt.
func isSensorTopic(topic string) bool {
	sensor, ok := strings.CutPrefix(topic, strings.TrimSuffix(wire.SensorFilter, "+"))
	return ok && !strings.Contains(sensor, "/") || topic == wire.SensorTopicAlt
}

// take is the broker's intake. It runs on the goroutine that reads from the sensor, so
// that sensors are decoded side by side and a slow machine slows its sensors down.
func (a *Agent) take(messages []broker.Message, done func(error)) {
	result := wire.SensorResult{Readings: make([]traffic.Reading, 0, len(messages))}
	for _, m := range messages {
		now := a.moment() // of each: without a time of its own a reading is known by this one
		r, x := len(result.Readings), len(result.Rejected)
		wire.AppendSensor(&result, m.Topic, m.Payload, now.now)
		now.date(result.Readings[r:], result.Rejected[x:])
	}
	a.met.received.Add(float64(len(result.Readings) + len(result.Rejected)))
	for _, r := range result.Rejected {
		a.met.rejected.WithLabelValues(string(r.Reason)).Inc()
	}
	rejected := result.Rejected[:a.rejects.take(len(result.Rejected), time.Now())]
	if len(result.Readings)+len(rejected) == 0 {
		done(nil) // sending it again would not make it better
		return
	}
	a.scorer.Score(result.Readings)
	a.buffer.Submit(result.Readings, rejected, func(err error) {
		if err == nil {
			a.board.note(result.Readings)
			a.board.latest.note(result.Readings)
		}
		done(err)
	})
}

// An allowance is a number of things a second, saved up for ten.
type allowance struct {
	perSecond float64

	mu   sync.Mutex
	left float64   // guarded by mu
	last time.Time // guarded by mu
}

const allowanceSeconds = 10

func newAllowance(perSecond int) *allowance {
	return &allowance{perSecond: float64(perSecond), left: float64(perSecond) * allowanceSeconds}
}

// take returns how many of n are allowed now.
func (a *allowance) take(n int, now time.Time) int {
	if n == 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.last.IsZero() {
		earned := max(0, now.Sub(a.last).Seconds()) * a.perSecond
		a.left = min(a.left+earned, a.perSecond*allowanceSeconds)
	}
	a.last = now
	n = min(n, int(a.left))
	a.left -= float64(n)
	return n
}

// A board holds the newest score of each road until it is published, and the last readings.
type board struct {
	maxRoads int
	latest   latest

	mu    sync.Mutex
	roads map[traffic.RoadID]*posted // guarded by mu
	dirty []*posted                  // guarded by mu
}

type posted struct {
	road  traffic.RoadID
	topic string
	at    time.Time
	score float64
	dirty bool
}

func newBoard(maxRoads int) *board {
	return &board{maxRoads: maxRoads, roads: make(map[traffic.RoadID]*posted)}
}

// note takes the scores of readings that are newer than what the board has. Roads
// beyond the bound are passed over.
func (b *board) note(readings []traffic.Reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range readings {
		r := &readings[i]
		score, ok := r.Score.Get()
		if !ok {
			continue
		}
		p := b.roads[r.Road]
		if p == nil {
			if len(b.roads) >= b.maxRoads {
				continue
			}
			p = &posted{road: r.Road, topic: wire.ScoreTopic(r.Road)}
			b.roads[r.Road] = p
		}
		if r.At.Before(p.at) {
			continue
		}
		p.at, p.score = r.At, score
		if !p.dirty {
			p.dirty = true
			b.dirty = append(b.dirty, p)
		}
	}
}

// news returns copies of what changed since the last call.
func (b *board) news() []posted {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]posted, len(b.dirty))
	for i, p := range b.dirty {
		p.dirty = false
		out[i] = *p
	}
	clear(b.dirty)
	b.dirty = b.dirty[:0]
	return out
}
