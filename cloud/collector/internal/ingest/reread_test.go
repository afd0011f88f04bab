package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestReread(t *testing.T) {
	later := now().Add(24 * time.Hour)
	r := NewRereader(func() time.Time { return later })
	record := func(origin, payload string) *traffic.Rejected {
		return &traffic.Rejected{ID: "7", At: now(), Edge: "e", Origin: origin, Payload: []byte(payload)}
	}
	batch, err := wire.EncodeBatch(&wire.Batch{Edge: "e", Epoch: 1, Seq: 2, Readings: []traffic.Reading{{At: now(), Sensor: "b", Road: "b", Speed: traffic.Some(5)}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		record *traffic.Rejected
		sensor traffic.SensorID
		at     time.Time
		fails  string
	}{
		"was in the future":  {record("cityflow/traffic/s", `{"ts":"2026-03-02T20:00:00Z","sensor_id":"s","speed_kmh":30}`), "s", now().Add(11 * time.Hour), ""},
		"without a time":     {record("cityflow/traffic/s", `{"sensor_id":"s","speed_kmh":30}`), "s", now(), ""},
		"reading of a batch": {record(wire.BatchTopic("e"), `[{"ts":"2026-03-02T08:00:00Z","sensor_id":"x","speed_kmh":30}]`), "x", now().Add(-time.Hour), ""},
		"whole batch":        {record(wire.BatchTopic("e"), string(batch)), "b", now(), ""},
		"still too fast":     {record("offered", `{"ts":"2026-03-02T08:00:00Z","sensor_id":"s","speed_kmh":3000}`), "", time.Time{}, "out_of_range"},
		"still future":       {record("store", `{"ts":"2026-04-02T08:00:00Z","sensor_id":"s","speed_kmh":30}`), "", time.Time{}, "future"},
		"cut":                {record("cityflow/traffic/s", "[{"+strings.Repeat(" ", traffic.MaxRejectedPayload-2)), "", time.Time{}, "first 256 bytes"},
		"row of a file":      {record("counts.csv:12", "2026-03-02;s;fast"), "", time.Time{}, "import"},
		"garbage":            {record(wire.BatchTopic("e"), "garbage"), "", time.Time{}, "unparsable"},
	} {
		d, err := r.Reread(c.record)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want one with %q", name, err, c.fails)
			}
			continue
		}
		if err != nil || len(d.Readings) != 1 || len(d.Settled) != 1 || d.Settled[0] != "7" {
			t.Errorf("%s: %+v, %v, want one reading", name, d, err)
			continue
		}
		if got := d.Readings[0]; got.Sensor != c.sensor || !got.At.Equal(c.at) || got.Edge != "e" || !got.Score.Known() {
			t.Errorf("%s: %+v, want one of %s at %s, scored", name, got, c.sensor, c.at)
		}
	}
}
