package quality

import (
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func begin() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// measured is a reading; a negative quantity is absent.
func measured(at time.Time, speed, flow, occupancy float64) traffic.Reading {
	some := func(x float64) traffic.Value {
		if x < 0 {
			return traffic.Value{}
		}
		return traffic.Some(x)
	}
	return traffic.Reading{At: at, Sensor: "S", Road: "R", Edge: "E", Speed: some(speed), Flow: some(flow), Occupancy: some(occupancy)}
}

func TestInconsistent(t *testing.T) {
	for name, c := range map[string]struct {
		speed, flow, occupancy float64
		want                   bool
	}{
		"free flow":                      {52, 840, 0.09, false},
		"a jam":                          {6, 500, 0.55, false},
		"an empty road":                  {0, 0, 0, false},
		"an empty road, speed as usual":  {50, 0, 0, false},
		"somebody parked on the loop":    {0, 0, 1, false},
		"only speed":                     {30, -1, -1, false},
		"only flow":                      {-1, 600, -1, false},
		"a rounded occupancy":            {50, 150, 0, false},
		"vehicles that do not move":      {0, 600, 0.2, true},
		"vehicles that cover nothing":    {-1, 600, 0, true},
		"nobody passes, at speed":        {50, 0, 0.5, true},
		"vehicles of 54 metres":          {90, 500, 0.3, true},
		"vehicles of 20 centimetres":     {10, 1500, 0.03, true},
		"few vehicles, one long and odd": {50, 12, 0.01, false},
	} {
		r := measured(begin(), c.speed, c.flow, c.occupancy)
		rs := []traffic.Reading{r}
		New(1).Judge(rs)
		if got := rs[0].Quality&traffic.QualityInconsistent != 0; got != c.want {
			t.Errorf("%s: inconsistent %v, want %v", name, got, c.want)
		}
		if r.Speed != rs[0].Speed || r.Flow != rs[0].Flow || r.Occupancy != rs[0].Occupancy {
			t.Errorf("%s: what was measured was changed", name)
		}
	}
}

// health judges readings and returns what is known of the sensor then.
func health(t *testing.T, m *Monitor, rs []traffic.Reading) traffic.SensorHealth {
	t.Helper()
	m.Judge(rs)
	hs := m.Changed(10)
	if len(hs) != 1 {
		t.Fatalf("news of %d sensors, want 1", len(hs))
	}
	return hs[0]
}

func TestStuck(t *testing.T) {
	series := func(n int, step time.Duration, speed, flow, occupancy float64) (rs []traffic.Reading) {
		for i := range n {
			rs = append(rs, measured(begin().Add(time.Duration(i)*step), speed, flow, occupancy))
		}
		return rs
	}
	for name, c := range map[string]struct {
		rs   []traffic.Reading
		want int // flagged readings
	}{
		"eight records of five minutes":     {series(10, 5*time.Minute, 41, 600, 0.12), 3},
		"seven":                             {series(7, 5*time.Minute, 41, 600, 0.12), 0},
		"a red light":                       {series(90, time.Second, 12, 600, 0.3), 0},
		"a whole night without anybody":     {series(100, 5*time.Minute, 0, 0, 0), 0},
		"nobody, the speed as it was":       {series(100, 5*time.Minute, 50, 0, 0), 0},
		"a rounded speed alone for an hour": {series(13, 5*time.Minute, 50, -1, -1), 0},
		"a speed alone for half a day":      {series(144, 5*time.Minute, 50, -1, -1), 120},
		"hourly counts, the same all day":   {series(24, time.Hour, -1, 300, 0.1), 17},
	} {
		m := New(1)
		h := health(t, m, c.rs)
		flagged := 0
		for _, r := range c.rs {
			if r.Quality&traffic.QualityStuck != 0 {
				flagged++
			}
		}
		if flagged != c.want {
			t.Errorf("%s: %d readings are flagged, want %d", name, flagged, c.want)
		}
		if stuck := h.Status(h.Last) == traffic.SensorStuck; stuck != (c.want > 0) || stuck && !h.StuckSince.Equal(begin()) {
			t.Errorf("%s: status %s since %s", name, h.Status(h.Last), h.StuckSince)
		}
		if c.want > 0 { // it lives again
			next := []traffic.Reading{measured(h.Last.Add(5*time.Minute), 33, 555, 0.13)}
			if h = health(t, m, next); !h.StuckSince.IsZero() || next[0].Quality != 0 {
				t.Errorf("%s: still stuck after another value", name)
			}
		}
	}
}

// Late is what is older than the newest; the newest once more is not.
func TestLate(t *testing.T) {
	m := New(1)
	rs := []traffic.Reading{
		measured(begin().Add(10*time.Minute), 30, 600, 0.1),
		measured(begin().Add(5*time.Minute), 31, 610, 0.1),
		measured(begin().Add(10*time.Minute), 30, 600, 0.1),
		measured(begin().Add(15*time.Minute), 32, 620, 0.1),
	}
	h := health(t, m, rs)
	var late []bool
	for _, r := range rs {
		late = append(late, r.Quality&traffic.QualityLate != 0)
	}
	if fmt.Sprint(late) != "[false true false false]" {
		t.Errorf("late: %v", late)
	}
	if !h.Last.Equal(rs[3].At) || h.Interval != 5*time.Minute || h.Edge != "E" || h.Road != "R" {
		t.Errorf("health %+v", h)
	}
}

func TestSilent(t *testing.T) {
	m := New(1)
	var rs []traffic.Reading
	for i := range 50 {
		rs = append(rs, measured(begin().Add(time.Duration(i)*time.Hour), 30, float64(500+i), 0.1))
	}
	h := health(t, m, rs)
	for after, want := range map[time.Duration]traffic.SensorStatus{
		0: traffic.SensorOK, 3 * time.Hour: traffic.SensorOK, 3*time.Hour + 1: traffic.SensorSilent,
	} {
		if got := h.Status(h.Last.Add(after)); got != want {
			t.Errorf("%s after the last of hourly readings: %s, want %s", after, got, want)
		}
	}
	h.Interval = time.Second
	if got := h.Status(h.Last.Add(traffic.MinSilence)); got != traffic.SensorOK {
		t.Errorf("a fast sensor after %s: %s", traffic.MinSilence, got)
	}
}

// A detector that becomes less sensitive sees shorter vehicles. That is noticed, also
// over a restart, and a share of nonsense readings is, too.
func TestDriftAndNonsense(t *testing.T) {
	day := func(d int, length float64) (rs []traffic.Reading) {
		for i := range 288 {
			flow, speed := 400+float64(i), 30+float64(i%20)
			rs = append(rs, measured(begin().AddDate(0, 0, d).Add(time.Duration(i)*5*time.Minute), speed, flow, length*flow/speed/1000))
		}
		return rs
	}
	m := New(1)
	var h traffic.SensorHealth
	for d := range 7 {
		h = health(t, m, day(d, 6))
	}
	if got := h.Status(h.Last); got != traffic.SensorOK || h.UsualLength.Or(0) < 5.99 || h.UsualLength.Or(0) > 6.01 {
		t.Fatalf("after a week of 6 m: %s, %+v", got, h)
	}
	m = New(1)
	m.Load([]traffic.SensorHealth{h})
	for d := 7; d < 9; d++ {
		h = health(t, m, day(d, 3.5))
	}
	if got := h.Status(h.Last); got != traffic.SensorDrifting {
		t.Errorf("after two days of 3.5 m: %s, %+v", got, h)
	}
	bad := day(9, 6)
	for i := range bad {
		if i%3 == 0 {
			bad[i].Occupancy = traffic.Some(0)
		}
	}
	if h = health(t, m, bad); h.Status(h.Last) != traffic.SensorInconsistent || h.Inconsistent < 0.25 || h.Inconsistent > 0.45 {
		t.Errorf("every third reading is nonsense: %s, share %g", h.Status(h.Last), h.Inconsistent)
	}
}

// The table is bounded, and what is handed out is handed out once.
func TestBounds(t *testing.T) {
	m := New(3)
	for i := range 10 {
		r := measured(begin(), 0, 600, 0.2)
		r.Sensor = traffic.SensorID(fmt.Sprint(i))
		rs := []traffic.Reading{r}
		m.Judge(rs)
		if rs[0].Quality != traffic.QualityInconsistent {
			t.Errorf("sensor %d: quality %b; each reading is judged, followed or not", i, rs[0].Quality)
		}
	}
	if n := len(m.Changed(2)) + len(m.Changed(2)) + len(m.Changed(2)); n != 3 {
		t.Errorf("news of %d sensors, want 3", n)
	}
}
