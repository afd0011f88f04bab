package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/internal/mqttconn"
)

// reportEvery is the time between two lines about the rates.
const reportEvery = 5 * time.Second

// dialing bounds the connections that are being made at the same time.
const dialing = 32

// A Fleet is a number of edges.
type Fleet struct {
	cfg     Config
	log     *slog.Logger
	edges   []*edge
	counts  counts
	limiter *rate.Limiter
	dials   *semaphore.Weighted
}

// Stats counts what the fleet has done so far.
type Stats struct {
	// Sent counts readings once, Resent every further time; Acked those that the
	// collector acknowledged.
	Sent, Resent, Acked int64
	// Connected is the number of edges that have a connection now.
	Connected int64
	// BadAcks counts acknowledgements that could not be read.
	BadAcks int64
}

type counts struct{ sent, resent, acked, connected, badAcks atomic.Int64 }

// New returns a fleet that has not connected yet; its error names a bad key of the
// Config. log and reg may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	cfg = cfg.settled(now)
	f := &Fleet{cfg: cfg, log: log.With("component", "fleet"), dials: semaphore.NewWeighted(dialing)}
	limit := rate.Inf
	if cfg.Rate > 0 {
		limit = rate.Limit(cfg.Rate)
	}
	f.limiter = rate.NewLimiter(limit, cfg.Batch)
	for i := range cfg.Edges {
		id := traffic.EdgeID(fmt.Sprintf("%s%04d", cfg.Prefix, i+1))
		f.edges = append(f.edges, newEdge(f, id, i, uint64(now.UnixMicro())))
	}
	f.register(reg)
	return f, nil
}

func (f *Fleet) register(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	p := promauto.With(reg)
	for name, c := range map[string]*atomic.Int64{"sent": &f.counts.sent, "resent": &f.counts.resent, "acked": &f.counts.acked} {
		p.NewCounterFunc(prometheus.CounterOpts{
			Name: "cityflow_fleet_readings_" + name + "_total", Help: "Readings of the simulated edges that were " + name + ".",
		}, func() float64 { return float64(c.Load()) })
	}
	p.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cityflow_fleet_edges_connected", Help: "Simulated edges with a connection to the broker.",
	}, func() float64 { return float64(f.counts.connected.Load()) })
}

// Stats returns the counts so far.
func (f *Fleet) Stats() Stats {
	c := &f.counts
	return Stats{
		Sent: c.sent.Load(), Resent: c.resent.Load(), Acked: c.acked.Load(),
		Connected: c.connected.Load(), BadAcks: c.badAcks.Load(),
	}
}

// Run plays the edges until the Total is acknowledged or ctx ends, both nil.
func (f *Fleet) Run(ctx context.Context) error {
	f.log.Info("fleet starts", "edges", f.cfg.Edges, "sensors_each", f.cfg.Sensors, "batch", f.cfg.Batch,
		"readings_per_s", f.cfg.Rate, "first_event", f.cfg.Start, "step", f.cfg.Step)
	work, stop := context.WithCancel(ctx)
	defer stop()
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		f.report(work)
	}()
	g, edges := errgroup.WithContext(work)
	for _, e := range f.edges {
		g.Go(func() error { return e.run(edges) })
	}
	err := g.Wait()
	stop()
	<-reported
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// report logs the rates until ctx ends, and the sums then.
func (f *Fleet) report(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	begin, last := time.Now(), f.Stats()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s := f.Stats()
			f.log.Info("fleet ends", "sent", s.Sent, "acked", s.Acked, "resent", s.Resent, "bad_acks", s.BadAcks,
				"acked_per_s", math.Round(float64(s.Acked)/time.Since(begin).Seconds()))
			return
		}
		s := f.Stats()
		per := func(now, before int64) float64 { return math.Round(float64(now-before) / reportEvery.Seconds()) }
		f.log.Info("fleet", "sent_per_s", per(s.Sent, last.Sent), "acked_per_s", per(s.Acked, last.Acked),
			"unacked", s.Sent-s.Acked, "resent", s.Resent, "connected", s.Connected)
		last = s
	}
}

// dial connects one edge; not too many do it at once.
func (f *Fleet) dial(ctx context.Context, id traffic.EdgeID) (*mqttconn.Conn, error) {
	if err := f.dials.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer f.dials.Release(1)
	return mqttconn.Dial(ctx, mqttconn.Config{URL: f.cfg.BrokerURL, ClientID: string(id), TLS: f.cfg.TLS}, f.log.With("edge", id))
}

// share is the batches that an edge sends, -1 without end.
func (f *Fleet) share(number int) int64 {
	if f.cfg.Total == 0 {
		return -1
	}
	mine := f.cfg.Total / int64(f.cfg.Edges)
	if int64(number) < f.cfg.Total%int64(f.cfg.Edges) {
		mine++
	}
	return (mine + int64(f.cfg.Batch) - 1) / int64(f.cfg.Batch)
}
