package backtest

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

const (
	plotWidth, plotHeight = 24 * vg.Centimeter, 14 * vg.Centimeter
	// mostBars is how many of the worst roads are drawn.
	mostBars = 20
	// mostLetters is how much of a road's name fits below its bar.
	mostLetters = 24
)

// plots draws the errors by hour of the day and those of the worst roads.
func (r *Report) plots(dir string) error {
	for name, draw := range map[string]func() (*plot.Plot, error){
		"error-by-hour.png": r.byHour,
		"worst-roads.png":   r.worstRoads,
	} {
		p, err := draw()
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		if err := p.Save(plotWidth, plotHeight, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
	}
	return nil
}

func (r *Report) axis() string { return "MAE, " + cmp.Or(r.Unit, "unit of the file") }

// byHour draws a line per model.
func (r *Report) byHour() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: error %d min ahead by hour of the day", r.Data, r.MainMin)
	p.X.Label.Text, p.Y.Label.Text = "local hour", r.axis()
	p.X.Min, p.X.Max, p.Y.Min = 0, 23, 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	palette, err := brewer.GetPalette(brewer.TypeQualitative, "Dark2", max(3, len(r.Scores)))
	if err != nil {
		return nil, err
	}
	for i, s := range r.Scores {
		var points plotter.XYs
		for hour := range s.Hours {
			if e := &s.Hours[hour]; e.Count > 0 {
				points = append(points, plotter.XY{X: float64(hour), Y: e.MAE()})
			}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = palette.Colors()[i], vg.Points(1.5)
		if s.Model == r.Best {
			line.Width = vg.Points(3)
		}
		p.Add(line)
		p.Legend.Add(s.Model, line)
	}
	return p, nil
}

// worstRoads draws the roads with the largest errors of the best model, beside those
// of persistence.
func (r *Report) worstRoads() (*plot.Plot, error) {
	worst := slices.DeleteFunc(slices.Clone(r.Series), func(s RoadFigures) bool { return len(s.MAE) == 0 })
	slices.SortStableFunc(worst, func(a, b RoadFigures) int { return cmp.Compare(b.MAE[r.Best], a.MAE[r.Best]) })
	if worst = worst[:min(mostBars, len(worst))]; len(worst) == 0 {
		return nil, errors.New("nothing was tested: the file is too short for this horizon")
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s: roads with the largest errors %d min ahead", r.Data, r.MainMin)
	p.Y.Label.Text, p.Y.Min = r.axis(), 0
	p.Legend.Top = true
	var names []string
	for _, s := range worst {
		name := []rune(s.Road)
		names = append(names, string(name[:min(len(name), mostLetters)]))
	}
	for i, model := range []string{r.Scores[0].Model, r.Best} {
		var values plotter.Values
		for _, s := range worst {
			values = append(values, s.MAE[model])
		}
		bars, err := plotter.NewBarChart(values, vg.Points(10))
		if err != nil {
			return nil, err
		}
		bars.Offset, bars.Color = vg.Points(float64(10*i-5)), []color.Color{color.Gray{Y: 170}, color.RGBA{G: 90, B: 160, A: 255}}[i]
		p.Add(bars)
		p.Legend.Add(model, bars)
	}
	p.NominalX(names...)
	p.X.Tick.Label.Rotation = 0.8
	p.X.Tick.Label.XAlign = -1
	return p, nil
}
