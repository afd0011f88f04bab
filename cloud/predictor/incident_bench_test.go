package predictor

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// loop is one file of the labelled Minnesota detectors.
type loop struct {
	name string
	// reading makes a reading of a value; typical is the 10th percentile of the file.
	reading func(at time.Time, v, typical float64) traffic.Reading
}

func minnesota() []loop {
	return []loop{
		{"speed_6005", func(at time.Time, v, _ float64) traffic.Reading { return speed("loop", at, v*1.609344) }},
		{"occupancy_6005", func(at time.Time, v, _ float64) traffic.Reading {
			return traffic.Reading{At: at, Sensor: "loop", Road: "loop", Occupancy: traffic.Some(min(1, v/100))}
		}},
		// A travel time is a speed over a way whose length nobody said: 90 km/h where it is
		// usually short.
		{"TravelTime_387", func(at time.Time, v, typical float64) traffic.Reading {
			return speed("loop", at, min(250, 90*typical/max(1, v)))
		}},
	}
}

// BenchmarkIncidents runs the detector as it is live over the labelled Minnesota loops:
// one road alone, cycles day by day, training every few days. An alert that begins inside
// a labelled window counts as found; the delay is from the begin of the window to its start.
func BenchmarkIncidents(b *testing.B) {
	dir := realdata.Path(b, "mndot-nab")
	text, err := os.ReadFile(filepath.Join(dir, "anomaly_labels.json"))
	if err != nil {
		b.Fatal(err)
	}
	var labels struct {
		Windows map[string][][2]string
	}
	if err := json.Unmarshal(text, &labels); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, l := range minnesota() {
			rs := l.read(b, dir)
			alerts := replay(b, rs)
			var windows [][2]time.Time
			for _, w := range labels.Windows[l.name] {
				windows = append(windows, [2]time.Time{moment(b, w[0][:19]), moment(b, w[1][:19])})
			}
			report(l.name, alerts, windows, rs[len(rs)-1].At.Sub(rs[0].At).Hours()/24)
		}
	}
}

func moment(tb testing.TB, text string) time.Time {
	tb.Helper()
	at, err := time.Parse(time.DateTime, text)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

func (l loop) read(tb testing.TB, dir string) []traffic.Reading {
	tb.Helper()
	f, err := os.Open(filepath.Join(dir, l.name+".csv"))
	if err != nil {
		tb.Skipf("real data is not here: %v", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var values []float64
	for _, row := range rows[1:] {
		values = append(values, number(tb, row[1]))
	}
	sorted := slices.Sorted(slices.Values(values))
	var out []traffic.Reading
	for i, row := range rows[1:] {
		out = append(out, l.reading(moment(tb, row[0]), values[i], sorted[len(sorted)/10]))
	}
	slices.SortStableFunc(out, func(a, b traffic.Reading) int { return a.At.Compare(b.At) })
	return out
}

// trainEvery is how many days of data lie between two trainings.
const trainEvery = 5

// replay runs a predictor over readings, with training every few days, and returns the
// alerts, oldest first.
func replay(b *testing.B, rs []traffic.Reading) []traffic.Alert {
	b.Helper()
	n := newBenchWith(b, Default())
	days := 0
	for i := 0; i < len(rs); {
		today := rs[i].At.Truncate(24 * time.Hour)
		j := i
		for j < len(rs) && rs[j].At.Before(today.Add(24*time.Hour)) {
			j++
		}
		n.add(rs[i:j]...)
		n.do(n.r.catchUp)
		if days++; days%trainEvery == 0 {
			if err := n.school.train(b.Context(), today.Add(24*time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
		i = j
	}
	out, _, err := n.db.Alerts(b.Context(), store.AlertQuery{Page: store.Page{Limit: 10000}})
	if err != nil {
		b.Fatal(err)
	}
	slices.Reverse(out)
	return out
}

func report(name string, alerts []traffic.Alert, windows [][2]time.Time, days float64) {
	found, inside := 0, 0
	for _, w := range windows {
		first := slices.IndexFunc(alerts, func(a traffic.Alert) bool { return !a.Start.Before(w[0]) && a.Start.Before(w[1]) })
		if first >= 0 {
			found++
			fmt.Printf("BENCH incident_%s_delay_min %.0f min after the window began\n", name, alerts[first].Start.Sub(w[0]).Minutes())
		}
		for _, a := range alerts {
			if !a.Start.Before(w[0]) && a.Start.Before(w[1]) {
				inside++
			}
		}
	}
	fmt.Printf("BENCH incident_%s_recall %.2f (%d of %d windows)\n", name, float64(found)/float64(len(windows)), found, len(windows))
	fmt.Printf("BENCH incident_%s_precision %.2f (%d of %d alerts in %.0f days)\n", name, float64(inside)/max(1, float64(len(alerts))), inside, len(alerts), days)
}
