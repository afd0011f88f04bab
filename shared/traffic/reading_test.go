package traffic_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

var now = time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC)

func reading() traffic.Reading {
	return traffic.Reading{
		At: now, Sensor: "PARIS-4521", Road: "PARIS-4521",
		Speed: traffic.Some(31.5), Flow: traffic.Some(840), Occupancy: traffic.Some(0.17),
	}
}

func TestValidateTakes(t *testing.T) {
	for name, change := range map[string]func(*traffic.Reading){
		"a whole reading":   func(*traffic.Reading) {},
		"one quantity only": func(r *traffic.Reading) { r.Speed, r.Flow = traffic.Value{}, traffic.Value{} },
		"the lowest values": func(r *traffic.Reading) {
			r.Speed, r.Flow, r.Occupancy = traffic.Some(0), traffic.Some(0), traffic.Some(0)
		},
		"the highest values": func(r *traffic.Reading) {
			r.Speed, r.Flow, r.Occupancy = traffic.Some(250), traffic.Some(20000), traffic.Some(1)
		},
		"ten minutes ahead":    func(r *traffic.Reading) { r.At = now.Add(traffic.MaxFuture) },
		"years ago":            func(r *traffic.Reading) { r.At = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a name with accents":  func(r *traffic.Reading) { r.Sensor = "Saint-Germain-des-Prés" },
		"a place with a label": func(r *traffic.Reading) { r.Place = &traffic.Place{Label: "Bd Voltaire"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := reading()
			change(&r)
			if err := r.Validate(now); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*traffic.Reading)
		reason traffic.Reason
		says   []string // field, value and what is allowed
	}{
		"no sensor":           {func(r *traffic.Reading) { r.Sensor = "" }, traffic.ReasonID, []string{"sensor_id", "absent"}},
		"no road":             {func(r *traffic.Reading) { r.Road = "" }, traffic.ReasonID, []string{"road_id"}},
		"a long name":         {func(r *traffic.Reading) { r.Road = traffic.RoadID(strings.Repeat("x", 129)) }, traffic.ReasonID, []string{"road_id", "128"}},
		"a control character": {func(r *traffic.Reading) { r.Sensor = "a\x00b" }, traffic.ReasonID, []string{"sensor_id", `a\x00b`}},
		"broken UTF-8":        {func(r *traffic.Reading) { r.Sensor = "a\xffb" }, traffic.ReasonID, []string{"sensor_id", "UTF-8"}},
		"no time":             {func(r *traffic.Reading) { r.At = time.Time{} }, traffic.ReasonTime, []string{"ts", "RFC 3339"}},
		"an unset clock":      {func(r *traffic.Reading) { r.At = time.Unix(37, 0) }, traffic.ReasonTime, []string{"ts", "1970", "2000"}},
		"the future":          {func(r *traffic.Reading) { r.At = now.Add(traffic.MaxFuture + 1) }, traffic.ReasonFuture, []string{"ts", "10m"}},
		"nothing measured": {func(r *traffic.Reading) {
			r.Speed, r.Flow, r.Occupancy = traffic.Value{}, traffic.Value{}, traffic.Value{}
		}, traffic.ReasonEmpty, []string{"speed_kmh"}},
		"backwards":            {func(r *traffic.Reading) { r.Speed = traffic.Some(-1) }, traffic.ReasonRange, []string{"speed_kmh", "-1", "0 to 250"}},
		"too fast":             {func(r *traffic.Reading) { r.Speed = traffic.Some(250.1) }, traffic.ReasonRange, []string{"speed_kmh", "250.1"}},
		"an infinite flow":     {func(r *traffic.Reading) { r.Flow = traffic.Some(math.Inf(1)) }, traffic.ReasonRange, []string{"flow_rate", "0 to 20000"}},
		"percent occupancy":    {func(r *traffic.Reading) { r.Occupancy = traffic.Some(17) }, traffic.ReasonRange, []string{"occupancy", "17", "0 to 1"}},
		"a NUL in the label":   {func(r *traffic.Reading) { r.Place = &traffic.Place{Label: "Bd\x00"} }, traffic.ReasonRange, []string{"label"}},
		"half a position":      {func(r *traffic.Reading) { r.Place = &traffic.Place{Lat: traffic.Some(48)} }, traffic.ReasonRange, []string{"lat, lng"}},
		"a position off Earth": {func(r *traffic.Reading) { r.Place = &traffic.Place{Lat: traffic.Some(91), Lng: traffic.Some(2)} }, traffic.ReasonRange, []string{"91"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := reading()
			c.change(&r)
			err := r.Validate(now)
			var invalid *traffic.InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("error %v, want an InvalidError", err)
			}
			if invalid.Reason != c.reason {
				t.Errorf("reason %q, want %q", invalid.Reason, c.reason)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("error %q does not say %q", err, s)
				}
			}
		})
	}
}

func TestValueKeepsAbsence(t *testing.T) {
	if v := traffic.Some(math.NaN()); v.Known() {
		t.Error("NaN became a present value")
	}
	var zero traffic.Value
	if _, ok := zero.Get(); ok || zero.Or(7) != 7 || zero.String() != "-" {
		t.Error("the zero value is not absent")
	}
	rapid.Check(t, func(t *rapid.T) {
		v := traffic.Value{}
		if rapid.Bool().Draw(t, "present") {
			v = traffic.Some(rapid.Float64Range(-1e9, 1e9).Draw(t, "value"))
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back traffic.Value
		if err := json.Unmarshal(b, &back); err != nil || back != v {
			t.Fatalf("%v became %v through %s: %v", v, back, b, err)
		}
	})
}

func TestRefusedShowsTheFirst(t *testing.T) {
	r := &traffic.Refused{Items: []traffic.Refusal{{Index: 3, Err: errors.New("no time")}, {Index: 5, Err: errors.New("x")}}}
	if s := r.Error(); !strings.Contains(s, "2 readings") || !strings.Contains(s, "#3: no time") {
		t.Error(s)
	}
}

func TestPredictionTarget(t *testing.T) {
	p := traffic.Prediction{At: now, HorizonMin: 30}
	if got := p.Target(); !got.Equal(now.Add(30 * time.Minute)) {
		t.Error(got)
	}
}
