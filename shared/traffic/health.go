package traffic

import "time"

// SensorHealth is what was found out about a sensor from what it sends.
type SensorHealth struct {
	Sensor SensorID
	Road   RoadID
	// Edge is the agent that delivered the last reading, empty when there was none.
	Edge EdgeID
	// Last is the time of the newest reading.
	Last time.Time
	// Interval is the usual time between two readings, 0 while there was only one.
	Interval time.Duration
	// StuckSince is when the values began that the sensor repeats; zero while it is not
	// stuck.
	StuckSince time.Time
	// Inconsistent is the share of its readings, 0 to 1, that contradicted themselves,
	// those of about the last hundred.
	Inconsistent float64
	// Length is the effective vehicle length in metres that flow, occupancy and speed
	// give on about the last day, UsualLength the one of the last weeks. A detector
	// whose sensitivity drifts changes it; traffic does not. Absent without all three
	// quantities.
	Length, UsualLength Value
}

// SensorStatus is the worst that can be said of a sensor. It is a value in answers:
// names are added, never changed.
type SensorStatus string

// The states of a sensor, worst first.
const (
	// SensorSilent has sent nothing for SilentIntervals of its usual intervals.
	SensorSilent SensorStatus = "silent"
	// SensorStuck repeats its values.
	SensorStuck SensorStatus = "stuck"
	// SensorInconsistent sends readings of which more than MaxInconsistent contradict
	// themselves.
	SensorInconsistent SensorStatus = "inconsistent"
	// SensorDrifting measures vehicles longer or shorter than it used to, by more than
	// MaxDrift.
	SensorDrifting SensorStatus = "drifting"
	// SensorOK is none of these.
	SensorOK SensorStatus = "ok"
)

// What is still healthy.
const (
	SilentIntervals = 3
	// MinSilence spares sensors that report every second.
	MinSilence = 10 * time.Minute
	// MaxInconsistent is a share of readings.
	MaxInconsistent = 0.2
	// MaxDrift is how much longer or shorter, as a share of the usual length.
	MaxDrift = 0.3
)

// SilentAfter is how long after Last the sensor counts as silent.
func (h *SensorHealth) SilentAfter() time.Duration {
	return max(MinSilence, SilentIntervals*h.Interval)
}

// Status judges the sensor at an event time, such as the newest of the city.
func (h *SensorHealth) Status(at time.Time) SensorStatus {
	length, known := h.Length.Get()
	usual := h.UsualLength.Or(0)
	switch {
	case at.Sub(h.Last) > h.SilentAfter():
		return SensorSilent
	case !h.StuckSince.IsZero():
		return SensorStuck
	case h.Inconsistent > MaxInconsistent:
		return SensorInconsistent
	case known && usual > 0 && (length > usual*(1+MaxDrift) || length < usual/(1+MaxDrift)):
		return SensorDrifting
	default:
		return SensorOK
	}
}
