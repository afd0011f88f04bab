package replay

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/progress"
	"github.com/2zrhun/city-flow/simulator/source"
)

// Deps is what a developer passes. Every field may be left out.
type Deps struct {
	Log *slog.Logger
	Reg prometheus.Registerer
	// OnRejected hears of every row that can't be used, in the goroutine that reads.
	// Its number is not bounded: a receiver that keeps records bounds them.
	OnRejected func(traffic.Rejected)
	Progress   *progress.Meter
	// Now is the clock against which times in the future are judged.
	Now func() time.Time
}

func (d Deps) orDefaults() Deps {
	if d.Log == nil {
		d.Log = discard()
	}
	if d.OnRejected == nil {
		d.OnRejected = func(traffic.Rejected) {}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// A Source replays the files of a Config. It is a source.Source and a
// source.RoadLister.
type Source struct {
	opener
	files  []string
	places string
	counts counts

	mu     sync.Mutex // guards loaded; it is held while files are loaded
	loaded *loaded
}

// loaded is everything that was read before the first reading is played.
type loaded struct {
	tracks  tracks
	sensors *sensors
	roads   []traffic.Road
	// rows is the number of readings to play, -1 where files stream.
	rows int64
}

// Open checks the Config and looks at the beginning of each file. The error names
// what is wrong: a bad key, a file that can't be opened, or one whose columns are not
// those of any known form (what was found, what was wanted).
func Open(cfg Config, deps Deps) (*Source, error) {
	p, err := cfg.plan()
	if err != nil {
		return nil, err
	}
	deps = deps.orDefaults()
	s := &Source{
		opener: opener{plan: p, deps: deps, log: deps.Log.With("component", "replay")},
		files:  cfg.Files, places: cfg.Places,
	}
	s.register(deps.Reg)
	sens, err := s.newSensors()
	if err != nil {
		return nil, err
	}
	probe := s.quiet()
	var errs []error
	for _, f := range s.files {
		o, err := probe.open(f, sens, new(counts))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o.file.Close()
	}
	return s, errors.Join(errs...)
}

func (s *Source) newSensors() (*sensors, error) {
	if s.places == "" {
		return newSensors(nil), nil
	}
	places, err := readPlaces(s.places)
	if err != nil {
		return nil, fmt.Errorf("places: %w", err)
	}
	return newSensors(places), nil
}

func (s *Source) register(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for outcome, get := range map[string]func() int64{
		"reading": s.counts.readings.Load, "no_measurement": s.counts.noMeasurement.Load, "rejected": s.counts.rejected.Load,
	} {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "cityflow_replay_rows_total",
			Help:        "Rows read from replayed files; rejected ones are listed with file:line.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, func() float64 { return float64(get()) }))
	}
}

// Stats counts the rows read so far.
func (s *Source) Stats() Stats { return s.counts.stats() }

// Roads returns the roads that the files describe. It loads them, and Run plays what
// it loaded.
func (s *Source) Roads(ctx context.Context) ([]traffic.Road, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	return s.loaded.roads, nil
}

// Run plays the files once. What it returns is said by source.Source; it may be
// called again to play again.
func (s *Source) Run(ctx context.Context, out source.Out) error {
	s.mu.Lock()
	err := s.ensure(ctx)
	l := s.loaded
	s.loaded = nil
	s.mu.Unlock()
	if err != nil {
		return stopped(ctx, err)
	}
	defer l.close()
	s.deps.Progress.Begin(progress.Work{Title: "replaying", Total: l.rows})
	defer s.deps.Progress.End()
	return stopped(ctx, s.play(ctx, l, out))
}

// stopped makes the end of ctx a normal end.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// ensure loads the files unless they are.
func (s *Source) ensure(ctx context.Context) error {
	if s.loaded != nil {
		return nil
	}
	sens, err := s.newSensors()
	if err != nil {
		return err
	}
	l := &loaded{sensors: sens}
	s.deps.Progress.Begin(progress.Work{Title: "reading", Total: totalBytes(s.files), Bytes: true})
	defer s.deps.Progress.End()
	budget := s.plan.maxRows
	for _, f := range s.files {
		t, err := s.load(ctx, f, sens, &budget)
		if err != nil {
			l.close()
			return err
		}
		if t == nil {
			continue
		}
		l.tracks = append(l.tracks, t)
		if t.rest != nil {
			l.rows = -1
		} else if l.rows >= 0 {
			l.rows += int64(t.rows.n)
		}
	}
	var bad error
	if l.roads, bad = sens.roads(); bad != nil {
		s.log.Warn("a road is listed without its shape", "error", bad)
	}
	if l.rows < 0 {
		s.log.Info("files open; rows are read as they are played", "files", len(s.files), "sensors", len(sens.list))
	} else {
		n := s.counts.stats()
		s.log.Info("files read", "files", len(s.files), "sensors", len(sens.list), "readings", n.Readings,
			"no_measurement", n.NoMeasurement, "rejected", n.Rejected)
	}
	s.loaded = l
	return nil
}

func (l *loaded) close() {
	for _, t := range l.tracks {
		t.close()
	}
}

// play merges the tracks by event time.
func (s *Source) play(ctx context.Context, l *loaded, out source.Out) error {
	player := source.NewPlayer(s.plan.speed, func(ctx context.Context, rs []traffic.Reading) error {
		s.deps.Progress.Add(int64(len(rs)))
		return out(ctx, rs)
	})
	for i, t := range l.tracks {
		t.rank = i
	}
	heap.Init(&l.tracks)
	for len(l.tracks) > 0 {
		t := l.tracks[0]
		r := l.sensors.reading(&t.head)
		if err := player.Add(ctx, &r); err != nil {
			return err
		}
		more, err := t.advance()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&l.tracks, 0)
		default:
			heap.Pop(&l.tracks)
		}
	}
	return player.Flush(ctx)
}

// tracks is a heap by time, then by the order of the files.
type tracks []*track

func (t tracks) Len() int { return len(t) }
func (t tracks) Less(i, j int) bool {
	if t[i].head.at != t[j].head.at {
		return t[i].head.at < t[j].head.at
	}
	return t[i].rank < t[j].rank
}
func (t tracks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tracks) Push(x any)   { *t = append(*t, x.(*track)) }
func (t *tracks) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}
