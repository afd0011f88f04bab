package ingest

import (
	"context"
	"log/slog"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/2zrhun/city-flow/cloud/collector/internal/quality"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// maxSensors bounds the sensors that are followed, about 300 bytes each.
	maxSensors = 200_000
	// sensorsEvery is how often what was found out about sensors is stored, and
	// sensorsAtOnce how many in one go.
	sensorsEvery  = 30 * time.Second
	sensorsAtOnce = 2000
	// sensorsTimeout bounds one call to the store.
	sensorsTimeout = 10 * time.Second
)

// A SensorKeeper keeps what was found out about sensors.
type SensorKeeper interface {
	store.SensorWriter
	store.SensorReader
}

// sensors judges readings and keeps what that says about their sensors in the store. It is
// a hint to people, like the live updates: nothing waits for it.
type sensors struct {
	monitor *quality.Monitor
	keeper  SensorKeeper
	log     *slog.Logger
	metrics *metrics
	// unsaved is what the store did not take.
	unsaved []traffic.SensorHealth
}

func newSensors(keeper SensorKeeper, log *slog.Logger, m *metrics) *sensors {
	return &sensors{monitor: quality.New(maxSensors), keeper: keeper, log: log.With("component", "sensors"), metrics: m}
}

// judge flags readings.
func (s *sensors) judge(rs []traffic.Reading) {
	s.monitor.Judge(rs)
	for i := range rs {
		if rs[i].Quality == 0 {
			continue
		}
		for flag, counter := range s.metrics.flagged {
			if rs[i].Quality&flag != 0 {
				counter.Inc()
			}
		}
	}
}

// run takes over what is stored and then stores what is new, until ctx ends and once more
// after that.
func (s *sensors) run(ctx context.Context) {
	s.load(ctx)
	tick := time.NewTicker(sensorsEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		s.save(context.WithoutCancel(ctx))
	}
}

// load reads what earlier runs have found out. While it does, readings come in: a
// sensor that is followed already learns anew what is usual.
func (s *sensors) load(ctx context.Context) {
	var page store.Page
	page.Limit = sensorsAtOnce
	wait := retry.WithCappedDuration(retryMax, retry.NewExponential(retryFirst))
	for {
		hs, next, err := s.page(ctx, page)
		if err == nil {
			s.monitor.Load(hs)
			if page.After = next; next == "" {
				return
			}
			continue
		}
		pause, _ := wait.Next()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (s *sensors) page(ctx context.Context, p store.Page) ([]traffic.SensorHealth, store.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, sensorsTimeout)
	defer cancel()
	return s.keeper.Sensors(ctx, store.SensorQuery{Page: p})
}

// save stores what is new. What the store does not take waits for the next time.
func (s *sensors) save(ctx context.Context) {
	for {
		if len(s.unsaved) == 0 {
			s.unsaved = s.monitor.Changed(sensorsAtOnce)
		}
		if len(s.unsaved) == 0 {
			return
		}
		if err := s.put(ctx); err != nil {
			s.log.Debug("what is known of sensors could not be stored; it is tried again", "sensors", len(s.unsaved), "err", err)
			return
		}
		s.unsaved = nil
	}
}

func (s *sensors) put(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sensorsTimeout)
	defer cancel()
	return s.keeper.PutSensors(ctx, s.unsaved)
}
