package backtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A Report is what a back-test found out, in the form of its JSON file.
type Report struct {
	Data     string    `json:"data"`
	Protocol string    `json:"protocol"`
	Quantity string    `json:"quantity"`
	Unit     string    `json:"unit"`
	Roads    int       `json:"roads"`
	Steps    int       `json:"steps"`
	StepMin  float64   `json:"step_min"`
	Train    int       `json:"train_steps"`
	Notes    []string  `json:"notes"`
	Seconds  float64   `json:"train_s"`
	Seed     uint64    `json:"seed"`
	Best     string    `json:"best"`
	Models   []Figures `json:"models"`
	// MainMin is the horizon of Series, in minutes.
	MainMin int `json:"series_min"`
	// Series is every road with the errors of all models.
	Series []RoadFigures `json:"series"`
	// Scores are the sums behind the figures, for plots.
	Scores []Score `json:"-"`
}

// Figures are those of one model.
type Figures struct {
	Model string `json:"model"`
	// HeldMAE and HeldRMSE are on the history that was held back: what the best model
	// was chosen by.
	HeldMAE  float64 `json:"held_mae"`
	HeldRMSE float64 `json:"held_rmse"`
	Absent   int     `json:"absent"`
	At       []Row   `json:"at"`
}

// A Row is the figures of a horizon.
type Row struct {
	Minutes  int     `json:"minutes"`
	Count    int     `json:"count"`
	MAE      float64 `json:"mae"`
	RMSE     float64 `json:"rmse"`
	MAPE     float64 `json:"mape_pct"`
	Bias     float64 `json:"bias"`
	Coverage float64 `json:"coverage_pct"`
	Width    float64 `json:"width"`
}

// RoadFigures are those of one road.
type RoadFigures struct {
	Road string `json:"road"`
	// MAE are the errors by model.
	MAE map[string]float64 `json:"mae"`
	// Baseline is the best simple model and Gain by how many percent the chosen model's
	// error is below it.
	Baseline string  `json:"baseline"`
	Gain     float64 `json:"gain_pct"`
}

// NewReport puts the scores of the models of b into figures.
func NewReport(p Protocol, g *series.Grid, b *model.Bundle, scores []Score) *Report {
	r := &Report{
		Protocol: p.Name, Quantity: g.Quantity.Name, Unit: g.Quantity.Unit, Roads: len(g.Roads), Steps: g.Steps(),
		StepMin: g.Step.Minutes(), Train: p.Train, Best: b.Best(), Scores: scores,
		MainMin: minutes(g, p.Report[p.Main]),
	}
	for i, s := range scores {
		f := Figures{Model: s.Model, Absent: s.Absent, HeldMAE: finite(b.Held[i].MAE), HeldRMSE: finite(b.Held[i].RMSE)}
		for k, h := range p.Report {
			e := &s.At[k]
			f.At = append(f.At, Row{
				Minutes: minutes(g, h), Count: e.Count, MAE: finite(e.MAE()), RMSE: finite(e.RMSE()), MAPE: finite(e.MAPE()),
				Bias: finite(e.Bias()), Coverage: finite(e.Coverage()), Width: finite(e.MeanWidth()),
			})
		}
		r.Models = append(r.Models, f)
	}
	for road, name := range g.Roads {
		r.Series = append(r.Series, r.series(road, name))
	}
	return r
}

// baseline is true for the models that a learned one has to beat.
func baseline(name string) bool {
	return slices.Contains([]string{model.PersistenceName, model.LastWeekName, model.FourWeeksName}, name)
}

func (r *Report) series(road int, name string) RoadFigures {
	f := RoadFigures{Road: name, MAE: make(map[string]float64)}
	best := math.Inf(1)
	for i := range r.Scores {
		s := &r.Scores[i]
		e := &s.Roads[road]
		if e.Count == 0 {
			continue
		}
		f.MAE[s.Model] = e.MAE()
		if baseline(s.Model) && e.MAE() < best {
			best, f.Baseline = e.MAE(), s.Model
		}
	}
	if v, ok := f.MAE[r.Best]; ok && best > 0 {
		f.Gain = 100 * (1 - v/best)
	}
	return f
}

// finite is v, or 0 for what no JSON can hold.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// JSON writes the report as one document.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes the figures for people.
func (r *Report) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s of %d roads, %d steps of %g min, protocol %s, the first %d steps to learn from\n",
		r.Data, r.Quantity, r.Roads, r.Steps, r.StepMin, r.Protocol, r.Train)
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	fmt.Fprintf(w, "  training took %.0f s; best on the history held back: %s; errors in %s\n\n", r.Seconds, r.Best, cmp.Or(r.Unit, "the file's unit"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "MAE / RMSE / MAPE\t")
	for _, row := range r.Models[0].At {
		fmt.Fprintf(t, "%d min\t", row.Minutes)
	}
	fmt.Fprint(t, "80 % interval holds\tabsent\n")
	for _, m := range r.Models {
		fmt.Fprintf(t, "%s\t", m.Model)
		var held []string
		for _, row := range m.At {
			fmt.Fprintf(t, "%.2f / %.2f / %.1f %%\t", row.MAE, row.RMSE, row.MAPE)
			held = append(held, fmt.Sprintf("%.1f", row.Coverage))
		}
		fmt.Fprintf(t, "%s %%\t%d\n", strings.Join(held, " "), m.Absent)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.tableOfSeries(w)
}

// mostSeries is how many series are listed, the worst ones first.
const mostSeries = 10

func (r *Report) tableOfSeries(w io.Writer) error {
	if !r.weekly() {
		return nil
	}
	worst := slices.DeleteFunc(slices.Clone(r.Series), func(s RoadFigures) bool { return len(s.MAE) == 0 })
	slices.SortFunc(worst, func(a, b RoadFigures) int { return cmp.Compare(a.Gain, b.Gain) })
	fmt.Fprintf(w, "\n%d min ahead, where %s gains least on the best of last value, last week and four weeks:\n", r.MainMin, r.Best)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range worst[:min(mostSeries, len(worst))] {
		fmt.Fprintf(t, "%s\t%s %.2f\t%s %.2f\t%+.1f %%\n", s.Road, r.Best, s.MAE[r.Best], s.Baseline, s.MAE[s.Baseline], s.Gain)
	}
	return t.Flush()
}

// weekly is true when models of past weeks were measured.
func (r *Report) weekly() bool {
	return slices.ContainsFunc(r.Models, func(f Figures) bool { return f.Model == model.LastWeekName })
}

// Bench writes the figures as lines for machines: BENCH name value unit.
func (r *Report) Bench(w io.Writer) {
	unit := strings.ReplaceAll(cmp.Or(r.Unit, "unit"), " ", "_")
	line := func(name string, v float64, unit string) { fmt.Fprintf(w, "BENCH %s %.4g %s\n", name, v, unit) }
	figures := func(name string, f Figures) {
		for _, row := range f.At {
			line(fmt.Sprintf("backtest_%s_mae_%d", name, row.Minutes), row.MAE, unit)
			line(fmt.Sprintf("backtest_%s_rmse_%d", name, row.Minutes), row.RMSE, unit)
			line(fmt.Sprintf("backtest_%s_mape_%d", name, row.Minutes), row.MAPE, "%")
			line(fmt.Sprintf("backtest_%s_coverage_%d", name, row.Minutes), row.Coverage, "%")
		}
	}
	for _, f := range r.Models {
		figures(f.Model, f)
	}
	if r.weekly() {
		least := math.Inf(1)
		for _, s := range r.Series {
			if len(s.MAE) > 0 {
				least = min(least, s.Gain)
			}
		}
		line("backtest_least_series_gain", finite(least), "%")
	}
	line("predict_train_s", r.Seconds, "s")
	for _, f := range r.Models {
		if f.Model == r.Best {
			figures("best", f)
		}
	}
}
