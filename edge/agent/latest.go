package agent

import (
	"container/list"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// maxLatest is of how many sensors the last reading is remembered, for people.
const maxLatest = 200

// A LastValue is the newest reading of a sensor that is on disk.
type LastValue struct {
	traffic.Reading
	// Age is how long ago it was kept, whatever the clocks say.
	Age time.Duration
}

// latest remembers the last reading of the sensors that were heard last. The zero value is
// ready.
type latest struct {
	mu       sync.Mutex
	bySensor map[traffic.SensorID]*list.Element // guarded by mu
	order    list.List                          // of *heard, newest first; guarded by mu
}

type heard struct {
	reading traffic.Reading
	at      time.Time
}

// note takes readings that were kept now.
func (l *latest) note(readings []traffic.Reading) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bySensor == nil {
		l.bySensor = make(map[traffic.SensorID]*list.Element, maxLatest)
	}
	// A delivery may hold more than is remembered.
	for _, r := range readings[max(0, len(readings)-maxLatest):] {
		if e := l.bySensor[r.Sensor]; e != nil {
			h := e.Value.(*heard)
			h.reading, h.at = r, now
			l.order.MoveToFront(e)
			continue
		}
		l.bySensor[r.Sensor] = l.order.PushFront(&heard{r, now})
		if l.order.Len() > maxLatest {
			last := l.order.Remove(l.order.Back()).(*heard)
			delete(l.bySensor, last.reading.Sensor)
		}
	}
}

// Latest returns the last reading of at most 200 sensors, those first that were heard
// last.
func (a *Agent) Latest() []LastValue {
	now := time.Now()
	l := &a.board.latest
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]LastValue, 0, l.order.Len())
	for e := l.order.Front(); e != nil; e = e.Next() {
		h := e.Value.(*heard)
		out = append(out, LastValue{Reading: h.reading, Age: now.Sub(h.at)})
	}
	return out
}
