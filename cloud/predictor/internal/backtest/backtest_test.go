package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// rising makes a grid in which the value is the number of the step, on one road with
// the second one missing.
func rising(steps int, step time.Duration) *series.Grid {
	g := series.NewGrid(series.Speed("km/h"), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), step, []string{"a", "b"}, steps)
	for t := range steps {
		g.Row(t)[0] = float32(t)
	}
	return g
}

// TestCounts works out by hand what persistence does on a rising series: at horizon h
// it is too low by h.
func TestCounts(t *testing.T) {
	g := rising(200, 5*time.Minute)
	for name, want := range map[string]struct {
		mae   [4]float64
		count [4]int
	}{
		// 40 test steps; windows start at 160; T-GCN leaves the last one out, so 40-12-h
		// of them, each with h errors of mean (h+1)/2.
		"tgcn": {[4]float64{2, 3.5, 5, 6.5}, [4]int{25 * 3, 22 * 6, 19 * 9, 16 * 12}},
		// 177 samples, the last 35 of them to test.
		"dcrnn": {[4]float64{3, 6, 9, 12}, [4]int{35, 35, 35, 35}},
	} {
		p, err := NewProtocol(name, g)
		if err != nil {
			t.Fatal(err)
		}
		short := p
		short.Train, short.Choose = 20, 0
		b, err := Train(context.Background(), short, g, series.Graph{}, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		scores, err := Run(p, g, b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Report {
			e := scores[0].At[i]
			if e.MAE() != want.mae[i] || e.Count != want.count[i] || e.Bias() != -want.mae[i] {
				t.Errorf("%s: horizon %d: MAE %v of %d, bias %v", name, p.Report[i], e.MAE(), e.Count, e.Bias())
			}
		}
	}
}

// TestSplit holds the parts of every protocol against each other: no target that is
// tested may be among the steps that are learned from.
func TestSplit(t *testing.T) {
	for _, name := range []string{"tgcn", "dcrnn", "scats", "hourly"} {
		for _, n := range []int{60, 173, 1440, 34272} {
			p, err := NewProtocol(name, rising(n, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range p.Report {
				from, to := p.moments(h)
				if from+1 < p.Train+p.Choose || to-1+h >= n || from >= to && n > 100 {
					t.Errorf("%s of %d: learns from %d and chooses by %d, tests horizon %d at %d to %d", name, n, p.Train, p.Choose, h, from, to)
				}
			}
		}
	}
	if p, _ := NewProtocol("dcrnn", rising(34272, time.Minute)); p.Train != 23974 {
		t.Errorf("METR-LA has %d samples to train with, 23974 in the papers", p.Train)
	}
	if _, err := NewProtocol("other", rising(100, time.Minute)); err == nil {
		t.Error("a protocol that is not known")
	}
	if _, err := NewProtocol("tgcn", rising(20, time.Minute)); err == nil {
		t.Error("a file with next to nothing in it")
	}
}

// TestReport writes all there is to write.
func TestReport(t *testing.T) {
	g := series.NewGrid(series.Flow("veh/h"), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Hour, []string{"a", "b"}, 24*7*4)
	for s := range g.Steps() {
		_, clock := g.Calendar.Slot(g.Time(s))
		g.Row(s)[0] = float32(100 + 80*math.Sin(clock.Hours()/24*2*math.Pi))
		g.Row(s)[1] = g.Row(s)[0] / 2
	}
	p, err := NewProtocol("", g)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Suite{Net: model.MLP{Width: 8, Embed: 2, Nets: 1, MaxSamples: 10_240}}.Train(context.Background(),
		model.History{Grid: g.Slice(0, p.Train)}, model.Options{Horizons: p.Horizons})
	if err != nil {
		t.Fatal(err)
	}
	b := m.(*model.Bundle)
	scores, err := Run(p, g, b)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReport(p, g, b, scores)
	dir := filepath.Join(t.TempDir(), "out")
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"error-by-hour.png", "worst-roads.png"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Best != b.Best() || len(back.Models) != len(b.Names()) || len(back.Series) != 2 {
		t.Errorf("the file says %+v", back)
	}
	var out bytes.Buffer
	if err := r.Table(&out); err != nil {
		t.Fatal(err)
	}
	r.Bench(&out)
	for _, want := range []string{"profile-ar", "four-weeks", "BENCH backtest_best_mae_60 ", "BENCH backtest_mlp_rmse_180 ", "BENCH predict_train_s "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
