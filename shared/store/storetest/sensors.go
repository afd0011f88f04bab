package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func sensors(t testing.TB, s store.SensorReader, q store.SensorQuery, limit int) []traffic.SensorHealth {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.SensorHealth, store.Cursor, error) {
		q.Page = p
		return s.Sensors(context.Background(), q)
	})
}

// Of each sensor the newest report stays, every field of it.
func testSensors(t *testing.T, s store.Store) {
	ctx, begin := context.Background(), time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	whole := traffic.SensorHealth{
		Sensor: "S1", Road: "R1", Edge: "E1", Last: begin, Interval: 5 * time.Minute, StuckSince: begin.Add(-time.Hour),
		Inconsistent: 0.25, Length: traffic.Some(6.5), UsualLength: traffic.Some(6),
	}
	bare := traffic.SensorHealth{Sensor: "S0", Road: "é\x00", Last: begin.Add(time.Microsecond)}
	check(t, s.PutSensors(ctx, []traffic.SensorHealth{whole, bare}))
	bare.Road = "é\ufffd"
	equal(t, "both", sensors(t, s, store.SensorQuery{At: begin}, 1), []traffic.SensorHealth{bare, whole})

	older, newer := whole, whole
	older.Last, older.Inconsistent = begin.Add(-time.Second), 1
	newer.Last, newer.Road, newer.StuckSince, newer.Length = begin.Add(time.Second), "R2", time.Time{}, traffic.Value{}
	check(t, s.PutSensors(ctx, []traffic.SensorHealth{newer}))
	check(t, s.PutSensors(ctx, []traffic.SensorHealth{older}))
	check(t, s.PutSensors(ctx, nil))
	equal(t, "the newest", sensors(t, s, store.SensorQuery{At: begin, Edge: "E1"}, 10), []traffic.SensorHealth{newer})
	equal(t, "of its road", sensors(t, s, store.SensorQuery{At: begin, Road: "R2"}, 10), []traffic.SensorHealth{newer})
	equal(t, "of its old road", sensors(t, s, store.SensorQuery{At: begin, Road: "R1"}, 10), []traffic.SensorHealth(nil))
}

// A query for a status finds the sensors that SensorHealth.Status says it of.
func testSensorStatus(t *testing.T, s store.Store) {
	begin := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var hs []traffic.SensorHealth
	lengths := []traffic.Value{{}, traffic.Some(0), traffic.Some(4), traffic.Some(5.99), traffic.Some(6), traffic.Some(7.81), traffic.Some(9)}
	for i := range 8 * len(lengths) {
		h := traffic.SensorHealth{
			Sensor: traffic.SensorID(fmt.Sprintf("S%02d", i)), Road: "R", Last: begin.Add(-time.Duration(i%5) * 5 * time.Minute),
			Interval: time.Duration(i%3) * 4 * time.Minute, Inconsistent: float64(i%4) / 10, Length: lengths[i%len(lengths)], UsualLength: traffic.Some(6),
		}
		if i%6 == 0 {
			h.StuckSince = begin.Add(-time.Hour)
		}
		if i%9 == 0 {
			h.UsualLength = traffic.Value{}
		}
		hs = append(hs, h)
	}
	check(t, s.PutSensors(context.Background(), hs))
	for _, status := range []traffic.SensorStatus{
		traffic.SensorSilent, traffic.SensorStuck, traffic.SensorInconsistent, traffic.SensorDrifting, traffic.SensorOK,
	} {
		var want []traffic.SensorHealth
		for _, h := range hs {
			if h.Status(begin) == status {
				want = append(want, h)
			}
		}
		if len(want) == 0 {
			t.Fatalf("no sensor is %s: the test shows nothing", status)
		}
		equal(t, string(status), sensors(t, s, store.SensorQuery{At: begin, Status: status}, 3), want)
	}
}
