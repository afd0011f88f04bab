package uplink

import (
	"fmt"
	"testing"
	"time"
)

// A pipe is a link as a queue: bytes per second and a round trip.
type pipe struct {
	rate  int
	trip  time.Duration
	free  time.Time
	loads []load
	until []time.Time
}

func (p *pipe) send(l load) {
	if p.free.Before(l.sent) {
		p.free = l.sent
	}
	p.free = p.free.Add(time.Duration(l.bytes) * time.Second / time.Duration(p.rate))
	p.loads, p.until = append(p.loads, l), append(p.until, p.free.Add(p.trip))
}

// A backlog of batches of 10 kB fills a link, whatever it is, and a fresh batch of 1 kB that
// comes now and then is on the other side soon.
func TestPacer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  int
		trip  time.Duration
		worst time.Duration // of a fresh batch, once the link is known
		least float64       // share of the link that is used
	}{
		{8_000, 50 * time.Millisecond, 2 * time.Second, 0.9},
		{8_000, 600 * time.Millisecond, 2500 * time.Millisecond, 0.6},
		{125_000, 50 * time.Millisecond, 700 * time.Millisecond, 0.95},
		{1_250_000, 100 * time.Millisecond, 700 * time.Millisecond, 0.95},
		{5_000_000, 2 * time.Millisecond, 500 * time.Millisecond, 0.95},
	} {
		t.Run(fmt.Sprintf("%d B/s, %s", c.rate, c.trip), func(t *testing.T) {
			t.Parallel()
			var p pacer
			way := pipe{rate: c.rate, trip: c.trip}
			start := time.Unix(0, 0)
			var worst time.Duration
			moved := 0
			way.send(p.send(liveLane, 40, start)) // a hello
			for now := start; now.Sub(start) < 90*time.Second; now = now.Add(2 * time.Millisecond) {
				for len(way.until) > 0 && !way.until[0].After(now) {
					l := way.loads[0]
					p.confirm(l, now)
					moved += l.bytes
					if took := now.Sub(l.sent); l.lane == liveLane && now.Sub(start) > 30*time.Second {
						worst = max(worst, took)
					}
					way.loads, way.until = way.loads[1:], way.until[1:]
				}
				if now.UnixMilli()%700 == 0 && p.mayLive() {
					way.send(p.send(liveLane, 1000, now))
				}
				for p.mayBacklog(now) {
					way.send(p.send(backlogLane, 10_000, now))
				}
			}
			used := float64(moved) / float64(c.rate) / 90
			t.Logf("worst %s, %.2f of the link, limit %d rate %.0f base %.3f", worst, used, p.limit(), p.rate.value(), p.base.value())
			if worst > c.worst || used < c.least {
				t.Errorf("a fresh batch took up to %s (want %s) while %.2f of the link was used (want %.2f)", worst, c.worst, used, c.least)
			}
		})
	}
}
