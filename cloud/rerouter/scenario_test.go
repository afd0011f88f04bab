package rerouter

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A scenario is a small network, what is known of it, and the advice that a traffic
// engineer would give. The files in testdata say it line by line:
//
//	road ID FROM TO METRES FREEFLOW [LABEL]
//	live ID speed=KMH flow=VPH occ=SHARE
//	forecast ID SCORE CONFIDENCE
//	want ID via PATH… gain MINUTES [co2 KG]
//	want none ID
type scenario struct {
	roads     []traffic.Road
	readings  []traffic.Reading
	forecasts []traffic.Prediction
	want      map[traffic.RoadID]wanted
}

type wanted struct {
	none      bool
	path      []traffic.RoadID
	gain, co2 float64
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.scenario"))
	if err != nil || len(files) < 5 {
		t.Fatalf("scenarios: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".scenario"), func(t *testing.T) {
			s := readScenario(t, file)
			tn := newTown(t, Default(), s.roads)
			tn.measure(s.readings...)
			tn.forecast(s.forecasts...)
			got := make(map[traffic.RoadID]traffic.Reroute)
			for _, r := range tn.adviseNow() {
				t.Log(r.Reason)
				got[r.Route] = r
			}
			for road, want := range s.want {
				r, advised := got[road]
				delete(got, road)
				switch {
				case want.none && advised:
					t.Errorf("%s: advised %v: want none", road, r.Path)
				case want.none:
				case !slices.Equal(r.Path, want.path):
					t.Errorf("%s: path %v: want %v", road, r.Path, want.path)
				case math.Abs(r.ETAGainMin-want.gain) > 0.01:
					t.Errorf("%s: gain %.3f min: want %.2f", road, r.ETAGainMin, want.gain)
				case !math.IsNaN(want.co2) && math.Abs(r.CO2GainKg-want.co2) > 0.02:
					t.Errorf("%s: CO2 %.3f kg: want %.2f", road, r.CO2GainKg, want.co2)
				case r.Alt != want.path[0] || r.Status != traffic.RerouteProposed || !r.At.Equal(cycleAt):
					t.Errorf("%s: %+v", road, r)
				}
			}
			for road := range got {
				t.Errorf("advised about %s unasked", road)
			}
		})
	}
}

func readScenario(t *testing.T, file string) scenario {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := scenario{want: make(map[traffic.RoadID]wanted)}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if !s.add(t, words) {
			t.Fatalf("%s:%d: cannot read %q", file, n, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scenario) add(t *testing.T, w []string) bool {
	t.Helper()
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	switch {
	case w[0] == "road" && len(w) >= 6:
		r := arc(w[1], w[2], w[3], number(w[4]))
		r.FreeFlowKMH, r.Label = traffic.Some(number(w[5])), strings.Join(w[6:], " ")
		s.roads = append(s.roads, r)
	case w[0] == "live" && len(w) >= 3:
		r := traffic.Reading{Road: traffic.RoadID(w[1])}
		for _, pair := range w[2:] {
			key, value, _ := strings.Cut(pair, "=")
			field := map[string]*traffic.Value{"speed": &r.Speed, "flow": &r.Flow, "occ": &r.Occupancy}[key]
			if field == nil {
				return false
			}
			*field = traffic.Some(number(value))
		}
		s.readings = append(s.readings, r)
	case w[0] == "forecast" && len(w) == 4:
		s.forecasts = append(s.forecasts, traffic.Prediction{Road: traffic.RoadID(w[1]), Score: number(w[2]), Confidence: number(w[3])})
	case w[0] == "want" && len(w) == 3 && w[1] == "none":
		s.want[traffic.RoadID(w[2])] = wanted{none: true}
	case w[0] == "want" && slices.Contains(w, "via") && slices.Contains(w, "gain"):
		via, gain := slices.Index(w, "via"), slices.Index(w, "gain")
		want := wanted{gain: number(w[gain+1]), co2: math.NaN()}
		for _, id := range w[via+1 : gain] {
			want.path = append(want.path, traffic.RoadID(id))
		}
		if co2 := slices.Index(w, "co2"); co2 > 0 {
			want.co2 = number(w[co2+1])
		}
		s.want[traffic.RoadID(w[1])] = want
	default:
		return false
	}
	return true
}
