package predictor

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A lineup is the trained models by channel, nil where there are none, and persistence,
// which needs no training and knows all roads. It does not change.
type lineup struct {
	trained     map[string]*model.Bundle
	persistence map[string]model.Model
}

// speakers run the models of one cycle.
type speakers struct {
	cfg *Config
	log *slog.Logger
	// steps are the horizons that models are asked for, ascending, and column the place
	// of each configured horizon among them.
	steps  []int
	column []int
	// names are the models; trend is the place of ewma-lr-v2 among them, -1 without.
	names  []string
	trend  int
	scores choir
	speeds choir
	fitter model.Fitter
	points []model.Point
	given  *lineup
	roads  int
	// levels and confidence are what ewma-lr-v2 said, by road and horizon, and by road;
	// a confidence below 0 means nothing.
	levels     []float64
	confidence []float64
}

// A choir is the models of one channel with what they said last.
type choir struct {
	// all are the trained models, for the roads that they know: outer is the place in the
	// city of each of those, inner the other way round, -1 for roads they do not know. Both
	// are nil when the roads are the same.
	all          *model.Bundle
	outer, inner []int32
	batches      []*model.Batch
	// place is where each of speakers.names stands among the batches, -1 where it does not.
	place []int
	// persistence is for all roads.
	persistence model.Model
	repeated    *model.Batch
	still       int // its place among speakers.names, -1 without
	// spoke and repeats say that batches and repeated are of this cycle.
	spoke, repeats bool
	// told is what went wrong last, so that it is logged once.
	told string
}

func newSpeakers(cfg *Config, log *slog.Logger) *speakers {
	s := &speakers{cfg: cfg, log: log, steps: cfg.steps()}
	for _, h := range cfg.Horizons {
		s.column = append(s.column, slices.Index(s.steps, cfg.stepsAhead(h)))
	}
	s.names, s.trend = cfg.Models, slices.Index(cfg.Models, model.EWMALR)
	return s
}

// bind fits the models to the roads, when either is new.
func (s *speakers) bind(l *lineup, c *city) {
	if s.given == l && s.roads == len(c.roads) {
		return
	}
	ids := c.ids()
	s.given, s.roads = l, len(ids)
	s.levels, s.confidence = make([]float64, len(ids)*len(s.cfg.Horizons)), make([]float64, len(ids))
	s.scores, s.speeds = s.choir(l, channelScore, ids), s.choir(l, channelSpeed, ids)
}

func (s *speakers) choir(l *lineup, channel string, ids []string) choir {
	c := choir{all: l.trained[channel], persistence: l.persistence[channel], still: slices.Index(s.names, model.PersistenceName)}
	if c.persistence != nil {
		c.persistence = model.Rebind(c.persistence, ids)
		c.repeated = model.NewBatch(len(ids), len(s.steps))
	}
	if c.all == nil {
		return c
	}
	c.batches = c.all.NewBatches()
	known := c.all.Names()
	for _, name := range s.names {
		c.place = append(c.place, slices.Index(known, name))
	}
	if roads := c.all.Info().Roads; !slices.Equal(roads, ids) {
		c.outer, c.inner = match(roads, ids)
	}
	return c
}

// match finds the place of each of some roads among all, and the other way round, -1 where
// there is none.
func match(some, all []string) (outer, inner []int32) {
	index := make(map[string]int32, len(all))
	inner = make([]int32, len(all))
	for i, id := range all {
		index[id], inner[i] = int32(i), -1
	}
	outer = make([]int32, len(some))
	for i, id := range some {
		outer[i] = -1
		if k, ok := index[id]; ok {
			outer[i], inner[k] = k, int32(i)
		}
	}
	return outer, inner
}

// speak asks every model for its forecasts after the newest step of the memory.
func (s *speakers) speak(m *memory, hour int) {
	var trends sync.WaitGroup
	if s.trend >= 0 {
		trends.Go(func() { s.trends(m, hour) })
	}
	s.scores.ask(m.scores, s.log)
	s.speeds.ask(m.speeds, s.log)
	trends.Wait()
}

// trends runs ewma-lr-v2 over all roads.
func (s *speakers) trends(m *memory, hour int) {
	newest, width := m.newest(), len(s.cfg.Horizons)
	for road := range s.confidence {
		s.points = m.points(s.points, road, newest)
		t, ok := s.fitter.Fit(s.points)
		s.confidence[road] = -1
		if !ok {
			continue
		}
		s.confidence[road] = t.Confidence()
		for h, minutes := range s.cfg.Horizons {
			s.levels[road*width+h] = t.Score(s.cfg.Lookback.Minutes()+float64(minutes), hour)
		}
	}
}

// score is what a model says of a road at the horizon of an index of Config.Horizons.
func (s *speakers) score(m, road, h int) (evaluate.Forecast, bool) {
	if m == s.trend {
		v := float32(s.levels[road*len(s.cfg.Horizons)+h])
		return evaluate.Forecast{Mean: v, Lower: v, Upper: v}, s.confidence[road] >= 0
	}
	v, ok := s.scores.say(m, road, s.column[h])
	return evaluate.Forecast(v), ok
}

// speed is the same in km/h. ewma-lr-v2 knows no speeds.
func (s *speakers) speed(m, road, h int) (float64, bool) {
	if m == s.trend {
		return 0, false
	}
	v, ok := s.speeds.say(m, road, s.column[h])
	return float64(v.Mean), ok
}

// ask lets the models forecast. When they cannot, that is logged once, and others speak.
func (c *choir) ask(w *series.Window, log *slog.Logger) {
	c.spoke, c.repeats = false, false
	err := c.sing(w)
	if c.persistence != nil {
		failed := c.persistence.Forecast(w, c.repeated)
		c.repeats = failed == nil
		err = errors.Join(err, failed)
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if err != nil && text != c.told {
		log.Warn("models cannot forecast; others speak for them", "err", err)
	}
	c.told = text
}

func (c *choir) sing(w *series.Window) error {
	if c.all == nil {
		return nil
	}
	if c.outer != nil {
		w = w.Gather(c.outer, w.Depth())
	}
	if err := c.all.ForecastAll(w, c.batches); err != nil {
		return fmt.Errorf("forecast: %w", err)
	}
	c.spoke = true
	return nil
}

// say is what a model said of a road. A road that the trained models do not know has
// persistence.
func (c *choir) say(m, road, column int) (model.Value, bool) {
	inner := int32(road)
	if c.inner != nil {
		inner = c.inner[road]
	}
	if c.spoke && c.place[m] >= 0 && inner >= 0 {
		if v, ok := c.batches[c.place[m]].At(int(inner), column); ok {
			return v, true
		}
	}
	if m == c.still && c.repeats {
		return c.repeated.At(road, column)
	}
	return model.Value{}, false
}
