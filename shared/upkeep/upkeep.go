package upkeep

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// every is the time between two rounds, soon that before the next one where work was
	// left, and after a failure.
	every = 5 * time.Minute
	soon  = 10 * time.Second
	// roundTimeout bounds one round; a backend stops by itself much earlier.
	roundTimeout = 10 * time.Minute
)

// A Database is what a keeper keeps in shape.
type Database interface {
	store.Maintainer
	// Watermark is that of store.ReadingReader.
	Watermark(ctx context.Context, limit time.Time) (time.Time, error)
}

// A Keeper keeps one database in shape.
type Keeper struct {
	db  Database
	how store.Upkeep
	now func() time.Time
	log *slog.Logger
	met metrics
	bad bool // the last round failed
}

type metrics struct {
	success                       prometheus.Gauge
	failures                      prometheus.Counter
	seconds                       prometheus.Histogram
	rolledUp, dropped, compressed prometheus.Counter
}

// New returns a keeper. The error says which time in how cannot be.
func New(db Database, how store.Upkeep, log *slog.Logger, reg prometheus.Registerer) (*Keeper, error) {
	if err := how.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "cityflow_store_" + name, Help: help})
	}
	return &Keeper{db: db, how: how, now: time.Now, log: log.With("component", "upkeep"), met: metrics{
		success: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_store_upkeep_success_timestamp_seconds",
			Help: "When the database was last brought in shape, in Unix time. When it stays behind by an hour, old data stays and averages are slow.",
		}),
		failures: counter("upkeep_failures_total", "Rounds of upkeep that failed and are tried again."),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_store_upkeep_seconds", Help: "Duration of rounds of upkeep.", Buckets: []float64{0.01, 0.1, 1, 10, 60, 600},
		}),
		rolledUp:   counter("rolled_up_blocks_total", "Blocks of five minutes that were averaged, again after late readings."),
		dropped:    counter("dropped_parts_total", "Days, partitions or chunks of data that were dropped because of their age."),
		compressed: counter("compressed_chunks_total", "Chunks that were compressed."),
	}}, nil
}

// Run keeps the database in shape until ctx ends. It returns nil.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		pause := k.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// round does what there is to do, and returns when to look again.
func (k *Keeper) round(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	began := time.Now()
	m, err := k.maintain(ctx)
	k.met.seconds.Observe(time.Since(began).Seconds())
	k.met.rolledUp.Add(float64(m.RolledUp))
	k.met.dropped.Add(float64(m.Dropped))
	k.met.compressed.Add(float64(m.Compressed))
	k.note(ctx, m, err)
	if err != nil || m.More {
		return soon
	}
	return every
}

// maintain calls the database with the newest event time: what is old is so beside the
// other data. Without data the clock must do.
func (k *Keeper) maintain(ctx context.Context) (store.Maintained, error) {
	now := k.now()
	newest, err := k.db.Watermark(ctx, now.Add(traffic.MaxFuture))
	if err != nil {
		return store.Maintained{}, err
	}
	if newest.IsZero() || newest.After(now) {
		newest = now
	}
	return k.db.Maintain(ctx, newest, k.how)
}

// note logs what is news and counts the rest.
func (k *Keeper) note(ctx context.Context, m store.Maintained, err error) {
	switch {
	case err != nil && ctx.Err() != nil:
		return // the process stops
	case err != nil:
		k.met.failures.Inc()
		if !k.bad {
			k.log.Error("the database could not be kept in shape; it is tried again", "error", err)
		}
	case m.Skipped:
		return // another process is at it, and says how it goes
	default:
		k.met.success.SetToCurrentTime()
		if k.bad {
			k.log.Info("the database is kept in shape again")
		}
	}
	k.bad = err != nil
	if m.Dropped > 0 || m.Compressed > 0 {
		k.log.Info("kept the database in shape", "dropped", m.Dropped, "compressed", m.Compressed)
	}
}
