package predictor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/shelf"
)

// Training says how models learn. It happens in the background and never holds up a
// cycle; the event time decides when.
type Training struct {
	// Off leaves the models as they are: what lies in Dir, and those that need no training.
	Off bool
	// Dir is the folder of the model files; empty keeps trained models in memory only.
	Dir string
	// Hour is the local hour, 0 to 23, after which the models are trained each night.
	Hour int
	// History is how far they look back, at least two days.
	History time.Duration
	// MaxValues bounds the values of history in memory at once, 8 bytes each: with many
	// roads the history is shorter.
	MaxValues int
	// Workers is how many cores training may use.
	Workers int
}

func defaultTraining() Training {
	return Training{Hour: 3, History: 8 * 7 * 24 * time.Hour, MaxValues: 40_000_000, Workers: 1}
}

func (t *Training) validate() error {
	switch {
	case t.Hour < 0 || t.Hour > 23:
		return fmt.Errorf("training hour %d: want 0 to 23", t.Hour)
	case t.History < 48*time.Hour:
		return fmt.Errorf("training history %s: want at least 48h", t.History)
	case t.MaxValues < 1 || t.Workers < 1:
		return fmt.Errorf("training with %d values and %d workers: want more than 0", t.MaxValues, t.Workers)
	}
	return nil
}

// The channels that models are trained for.
const (
	channelScore = "score"
	channelSpeed = "speed"
)

func channels() []string { return []string{channelScore, channelSpeed} }

// A plan is the roads that models are trained for.
type plan struct {
	ids   []string
	graph series.Graph
}

// school trains models. Run is its goroutine; everything else may be called from others.
type school struct {
	cfg      *Config
	calendar series.Calendar
	history  History
	shelf    *shelf.Shelf
	log      *slog.Logger
	metrics  *trainingMetrics
	trainer  model.Trainer

	lineup atomic.Pointer[lineup]
	plan   atomic.Pointer[plan]
	// now is the newest event time, in Unix seconds, of whole steps.
	now   atomic.Int64
	wake  chan struct{} // capacity 1
	loads bool          // what was on the shelf has been read
	// tried is the event time of the last training, trained whether it brought the models that
	// learn.
	tried   time.Time
	trained bool
}

// retryAfter is the event time after which models that had too little history are tried
// again.
const retryAfter = 6 * time.Hour

func newSchool(cfg *Config, h History, log *slog.Logger, m *trainingMetrics) (*school, error) {
	calendar, err := series.NewCalendar(cfg.Zone, cfg.Holidays)
	if err != nil {
		return nil, fmt.Errorf("load zone: %w", err)
	}
	s := &school{cfg: cfg, calendar: calendar, history: h, log: log.With("part", "training"), metrics: m, wake: make(chan struct{}, 1)}
	if s.shelf, err = shelf.Open(cfg.Training.Dir, s.log); err != nil {
		return nil, err
	}
	s.trainer = model.Suite{}
	s.lineup.Store(&lineup{})
	return s, nil
}

// untrained is persistence for all roads, which needs no training.
func (s *school) untrained(p *plan) map[string]model.Model {
	out := map[string]model.Model{}
	if !slices.Contains(s.cfg.Models, model.PersistenceName) {
		return out
	}
	for _, channel := range channels() {
		g := series.NewGrid(quantity(channel), time.Unix(0, 0).UTC(), s.cfg.Step, p.ids, 0)
		m, err := model.Persistence{}.Train(context.Background(), model.History{Grid: g, Graph: p.graph}, s.options())
		if err != nil {
			s.log.Error("persistence is not available", "err", err)
			continue
		}
		out[channel] = m
	}
	return out
}

func quantity(channel string) series.Quantity {
	if channel == channelSpeed {
		return series.Speed("km/h")
	}
	return series.Score()
}

func (s *school) options() model.Options {
	return model.Options{Horizons: s.cfg.steps(), Seed: 1, Workers: s.cfg.Training.Workers, Log: s.log}
}

// settle tells of the roads that there are now. Models that were trained for fewer serve
// those they know; the first time, what lies on the shelf is read.
func (s *school) settle(p *plan) {
	s.plan.Store(p)
	for {
		old := s.lineup.Load()
		next := &lineup{old.trained, s.untrained(p)}
		if !s.loads {
			next.trained = s.stored(p)
		}
		// A training that ends meanwhile has the last word on what it trained.
		if s.lineup.CompareAndSwap(old, next) {
			s.loads = true
			return
		}
	}
}

// stored is the newest usable versions on the shelf.
func (s *school) stored(p *plan) map[string]*model.Bundle {
	out := map[string]*model.Bundle{}
	want := model.Want{Step: s.cfg.Step, Roads: p.ids, Graph: p.graph}
	for _, channel := range channels() {
		for _, m := range s.shelf.Usable(channel, want) {
			if b, ok := m.(*model.Bundle); ok && s.fits(b) {
				out[channel] = b
				s.log.Info("took up trained models", "of", channel, "trained", b.Info().Trained, "best", b.Best())
				break
			}
		}
	}
	return out
}

// fits reports whether models forecast what is asked for: another configuration may have
// had other horizons.
func (s *school) fits(b *model.Bundle) bool {
	info := b.Info()
	if slices.Equal(info.Horizons, s.cfg.steps()) && info.Depth <= depth {
		return true
	}
	s.log.Warn("trained models have other horizons or look back farther; they are not used", "horizons", info.Horizons, "depth", info.Depth, "trained", info.Trained)
	return false
}

// reach tells of the newest event time.
func (s *school) reach(t time.Time) {
	s.now.Store(t.Truncate(s.cfg.Step).Unix())
	select {
	case s.wake <- struct{}{}:
	default: // it was told already
	}
}

// run trains when it is time, until ctx ends.
func (s *school) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		now := time.Unix(s.now.Load(), 0).UTC()
		if s.cfg.Training.Off || !s.due(now) {
			continue
		}
		s.tried = now
		err := s.train(ctx, now)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.metrics.failures.Inc()
			s.log.Warn("training failed; the models stay as they are", "err", err)
		}
	}
}

// due reports whether it is time to train: the first time, each night, and sooner while
// some model had too little history.
func (s *school) due(now time.Time) bool {
	switch {
	case s.plan.Load() == nil:
		return false
	case s.tried.IsZero() || now.Before(s.tried):
		return true
	case !s.trained && now.Sub(s.tried) >= retryAfter:
		return true
	}
	return night(s.calendar, now, s.cfg.Training.Hour) != night(s.calendar, s.tried, s.cfg.Training.Hour)
}

// night numbers the days, each of which begins at an hour of the local clock.
func night(c series.Calendar, t time.Time, hour int) int64 {
	l := c.Local(t)
	day := time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, time.UTC).Unix() / int64(24*time.Hour/time.Second)
	if l.Hour() < hour {
		day--
	}
	return day
}

type trainingMetrics struct {
	runs     *prometheus.CounterVec
	failures prometheus.Counter
	duration prometheus.Gauge
}

func newTrainingMetrics(f promauto.Factory) trainingMetrics {
	return trainingMetrics{
		runs: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_predictor_trainings_total",
			Help: "Trainings of all models, by what became of them: taken, worse (than those in force on the last day, which stay) or thin (too little history for those that learn).",
		}, []string{"channel", "outcome"}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_training_failures_total",
			Help: "Trainings that ended with an error, such as a store that is gone. The models in force go on.",
		}),
		duration: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_predictor_training_duration_seconds",
			Help: "Time that the last training of all models took.",
		}),
	}
}
