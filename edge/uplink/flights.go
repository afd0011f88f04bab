package uplink

import (
	"slices"
	"time"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A flight is one batch on its way.
type flight struct {
	lane  lane
	place buffer.Cursor
	name  name
	// written is when the buffer wrote it.
	written   time.Time
	sent, due time.Time
	tries     int
	// confirmed says that the broker has it.
	confirmed bool
}

// A name is what a batch is known by at both ends.
type name struct{ epoch, seq uint64 }

// Flights are the batches sent and not acknowledged, those sent first at the front.
type flights struct {
	list []*flight
	by   map[name]*flight
}

func newFlights() flights { return flights{by: make(map[name]*flight)} }

func (fs *flights) has(n name) bool { return fs.by[n] != nil }

// add puts a batch that was sent, or sent again, at the end.
func (fs *flights) add(f *flight) {
	fs.by[f.name] = f
	fs.list = append(fs.list, f)
}

// take removes a batch and returns it; nil when it is not among them.
func (fs *flights) take(n name) *flight {
	f := fs.by[n]
	if f == nil {
		return nil
	}
	delete(fs.by, n)
	i := slices.Index(fs.list, f)
	fs.list = slices.Delete(fs.list, i, i+1)
	return f
}

// land takes out what an acknowledgement names and returns it.
func (fs *flights) land(a *wire.Ack) []*flight {
	var landed []*flight
	for _, seq := range a.Seqs {
		if f := fs.take(name{a.Epoch, seq}); f != nil {
			landed = append(landed, f)
		}
	}
	return landed
}

// overtaken makes the batches due that were sent so long before one that was acknowledged
// that their own acknowledgement, or they themselves, must be lost. It returns how many.
func (fs *flights) overtaken(landed time.Time, latency time.Duration, now time.Time) int {
	patience, n := max(time.Second, 4*latency), 0
	for _, f := range fs.list {
		if f.confirmed && landed.Sub(f.sent) > patience && f.due.After(now) {
			f.due = now
			n++
		}
	}
	return n
}

// postpone makes no batch due before a moment, hasten none after it.
func (fs *flights) postpone(due time.Time) {
	for _, f := range fs.list {
		if f.due.Before(due) {
			f.due = due
		}
	}
}

func (fs *flights) hasten(due time.Time) {
	for _, f := range fs.list {
		if f.due.After(due) {
			f.due = due
		}
	}
}
