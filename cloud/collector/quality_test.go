package collector_test

import (
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Readings are flagged as they are stored, in the order in which they came, and what
// that says about a sensor is kept when the collector stops.
func TestQuality(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	st.sensors["OLD"] = traffic.SensorHealth{Sensor: "OLD", Road: "R", Last: begin(), Length: traffic.Some(3), UsualLength: traffic.Some(6)}
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	for seq := uint64(1); seq <= 60; seq++ { // the same values for an hour, minute by minute
		e.sendBatch(t, batch("e", seq, 1))
	}
	late := batch("e", 61, 1)
	late.Readings[0].At = begin().Add(90 * time.Second)
	nonsense := batch("e", 62, 1)
	nonsense.Readings[0].Speed = traffic.Some(0)
	e.sendBatch(t, late)
	e.sendBatch(t, nonsense)
	for seq := uint64(1); seq <= 62; seq++ {
		e.awaitAck(t, 7, seq)
	}
	if n := c.metric(t, "cityflow_collector_flagged_readings_total"); n < 25 {
		t.Errorf("flagged_readings_total %g, want at least the 25 stuck ones", n)
	}
	c.stop()
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range []struct {
		r    traffic.Reading
		want traffic.Quality
	}{
		{batch("e", 1, 1).Readings[0], 0},
		{batch("e", 35, 1).Readings[0], 0},
		{batch("e", 36, 1).Readings[0], traffic.QualityStuck}, // 35 minutes after the first
		{late.Readings[0], traffic.QualityLate},
		{nonsense.Readings[0], traffic.QualityInconsistent},
	} {
		if got := st.readings[key(&c.r)].Quality; got != c.want {
			t.Errorf("%s: quality %b, want %b", c.r.At, got, c.want)
		}
	}
	h, ok := st.sensors["E-R0"]
	if !ok || h.Edge != "e" || !h.Last.Equal(nonsense.Readings[0].At) || h.Interval < time.Minute || h.Inconsistent == 0 {
		t.Errorf("the sensor: %+v", h)
	}
	if h := st.sensors["OLD"]; h.UsualLength.Or(0) != 6 {
		t.Errorf("a sensor without news was written anew: %+v", h)
	}
}
