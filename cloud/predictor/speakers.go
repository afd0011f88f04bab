package predictor

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A lineup is the trained models, by name: those that forecast scores and those that
// forecast speeds. It does not change.
type lineup struct {
	scores, speeds map[string]model.Model
}

// speakers run the models of one cycle.
type speakers struct {
	cfg *Config
	log *slog.Logger
	// steps are the horizons that models are asked for, ascending, and column the place
	// of each configured horizon among them.
	steps  []int
	column []int
	all    []speaker
	fitter model.Fitter
	points []model.Point
	given  *lineup
	roads  int
}

// A speaker is a model with what it said last.
type speaker struct {
	name string
	// trend marks ewma-lr-v2, which has its own way to be asked.
	trend          bool
	scores, speeds voice
	// told is what went wrong in the last cycle, so that it is logged once.
	told string
	// levels and confidence are what ewma-lr-v2 said, by road and horizon, and by road;
	// a confidence below 0 means nothing.
	levels     []float64
	confidence []float64
}

// A voice is a model bound to the roads of the city, with room for what it says.
type voice struct {
	model model.Model
	batch *model.Batch
	// spoke says that batch is of this cycle.
	spoke bool
}

func newSpeakers(cfg *Config, log *slog.Logger) *speakers {
	s := &speakers{cfg: cfg, log: log}
	for _, h := range cfg.Horizons {
		s.steps = append(s.steps, cfg.stepsAhead(h))
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(s.steps)))
	for _, k := range s.steps {
		s.column = append(s.column, slices.Index(sorted, k))
	}
	s.steps = sorted
	for _, name := range cfg.Models {
		s.all = append(s.all, speaker{name: name, trend: name == model.EWMALR})
	}
	return s
}

// bind fits the models to the roads, when either is new.
func (s *speakers) bind(l *lineup, c *city) {
	if s.given == l && s.roads == len(c.roads) {
		return
	}
	ids := c.ids()
	s.given, s.roads = l, len(ids)
	for i := range s.all {
		p := &s.all[i]
		if p.trend {
			p.levels, p.confidence = make([]float64, len(ids)*len(s.cfg.Horizons)), make([]float64, len(ids))
			continue
		}
		p.scores, p.speeds = s.voice(l.scores[p.name], ids), s.voice(l.speeds[p.name], ids)
	}
}

func (s *speakers) voice(m model.Model, ids []string) voice {
	if m == nil {
		return voice{}
	}
	return voice{model: model.Rebind(m, ids), batch: model.NewBatch(len(ids), len(s.steps))}
}

// speak asks every model for its forecasts after the newest step of the memory, side by
// side. Speeds are asked only of the models in wanted.
func (s *speakers) speak(m *memory, wanted func(model int) bool, hour int) {
	var all sync.WaitGroup
	failures := make([]error, len(s.all))
	for i := range s.all {
		p := &s.all[i]
		p.scores.spoke, p.speeds.spoke = false, false
		if p.trend {
			all.Go(func() { s.trends(p, m, hour) })
			continue
		}
		all.Go(func() {
			failures[i] = p.scores.ask(m.scores)
			if failures[i] == nil && wanted(i) {
				failures[i] = p.speeds.ask(m.speeds)
			}
		})
	}
	all.Wait()
	for i, err := range failures {
		s.tell(&s.all[i], err)
	}
}

// tell logs when a model begins or ceases to fail. It is left out meanwhile.
func (s *speakers) tell(p *speaker, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != p.told && err != nil {
		s.log.Warn("a model cannot forecast; others speak for it", "model", p.name, "err", err)
	}
	p.told = text
}

// trends runs ewma-lr-v2 over all roads.
func (s *speakers) trends(p *speaker, m *memory, hour int) {
	newest, width := m.newest(), len(s.cfg.Horizons)
	for road := range p.confidence {
		s.points = m.points(s.points, road, newest)
		t, ok := s.fitter.Fit(s.points)
		p.confidence[road] = -1
		if !ok {
			continue
		}
		p.confidence[road] = t.Confidence()
		for h, minutes := range s.cfg.Horizons {
			p.levels[road*width+h] = t.Score(s.cfg.Lookback.Minutes()+float64(minutes), hour)
		}
	}
}

// score is what a model says of a road at the horizon of an index of Config.Horizons.
func (s *speakers) score(m, road, h int) (evaluate.Forecast, bool) {
	p := &s.all[m]
	if p.trend {
		v := float32(p.levels[road*len(s.cfg.Horizons)+h])
		return evaluate.Forecast{Mean: v, Lower: v, Upper: v}, p.confidence[road] >= 0
	}
	v, ok := p.scores.say(road, s.column[h])
	return evaluate.Forecast(v), ok
}

// ask lets a model forecast.
func (v *voice) ask(w *series.Window) error {
	if v.model == nil {
		return nil
	}
	if err := v.model.Forecast(w, v.batch); err != nil {
		return fmt.Errorf("forecast: %w", err)
	}
	v.spoke = true
	return nil
}

func (v *voice) say(road, column int) (model.Value, bool) {
	if !v.spoke {
		return model.Value{}, false
	}
	return v.batch.At(road, column)
}
