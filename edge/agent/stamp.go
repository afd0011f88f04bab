package agent

import (
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A moment is when a message arrives.
type moment struct {
	// now is what decoding goes by: the time, or, while that is unknown, one that is
	// later than any that a sensor may know.
	now time.Time
	// stamp is the time since boot where the time is unknown, else zero.
	stamp time.Time
}

// unknownYears is how long a box may have been off, as far as sensors' own times are
// believed while it does not know better. The collector judges them again.
const unknownYears = 20

// moment is now.
func (a *Agent) moment() moment {
	now, known := a.clock.Read()
	if known {
		return moment{now: now}
	}
	passed, _ := a.clock.Now()
	return moment{now: passed.AddDate(unknownYears, 0, 0), stamp: now.Truncate(traffic.Resolution)}
}

// date gives the stamp, where there is one, to what would have the time of reception.
func (m moment) date(readings []traffic.Reading, rejected []traffic.Rejected) {
	if m.stamp.IsZero() {
		return
	}
	for i := range readings {
		if readings[i].Quality&traffic.QualityReceiveTime != 0 {
			readings[i].At = m.stamp
		}
	}
	for i := range rejected {
		rejected[i].At = m.stamp
	}
}
