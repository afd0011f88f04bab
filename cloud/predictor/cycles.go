package predictor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// History is what the predictor asks of the store about readings.
type History interface {
	Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error)
	Watermark(ctx context.Context, limit time.Time) (time.Time, error)
	FirstSince(ctx context.Context, from time.Time) (time.Time, error)
}

// Forecasts is where predictions are kept.
type Forecasts interface {
	PutPredictions(ctx context.Context, ps []traffic.Prediction) error
	LastCycle(ctx context.Context, model string) (time.Time, error)
}

const (
	// batchRows is how many predictions are stored with one call, about.
	batchRows = 5000
	// aimBuckets is how many buckets one query should bring while catching up;
	// maxSpan and one step bound the range that it may ask for.
	aimBuckets = 5000
	maxSpan    = 24 * time.Hour
	// remembered is how many buckets of past cycles are watched for late readings,
	// and maxLate how far back in event time.
	remembered = 8
	maxLate    = 24 * time.Hour
)

// cycles walks along event time. It is used by one goroutine.
type cycles struct {
	cfg       Config
	zone      *time.Location
	history   History
	forecasts Forecasts
	metrics   *metrics

	// begun says that next was read from the store.
	begun bool
	// next is the begin of the first bucket whose boundary has not run for good.
	next time.Time
	// span is how much event time the next query asks for.
	span time.Duration
	// settled are the last buckets before next with the number of readings they had
	// when their boundary ran, oldest first. Readings are never changed or taken
	// away, so the number tells whether some came late.
	settled []size
	// pending are predictions that are not stored yet, in the order of their cycles,
	// of waiting cycles that took spent to compute.
	pending []traffic.Prediction
	waiting int
	spent   time.Duration
	// last is the number of predictions of the last cycle in pending.
	last int
	// newest are the predictions of the newest cycle that was stored.
	newest []traffic.Prediction

	fitter model.Fitter
	points []model.Point
}

// resume continues after the predictions that are stored. The last stored boundary may
// have run early or been cut off, so it runs again.
func (c *cycles) resume(ctx context.Context) error {
	if c.begun {
		return nil
	}
	last, err := c.forecasts.LastCycle(ctx, model.EWMALR)
	if err != nil {
		return fmt.Errorf("read last cycle: %w", err)
	}
	if !last.IsZero() {
		c.next = last.Add(-c.cfg.Step)
	}
	c.begun = true
	c.span = max(c.span, time.Hour)
	return nil
}

// due runs the next cycles whose boundary the watermark has reached, as many as one
// query brings. It is false when there were none, and then everything is stored.
func (c *cycles) due(ctx context.Context, watermark time.Time) (bool, error) {
	start, err := c.firstBucket(ctx)
	if err != nil {
		return false, err
	}
	closed := watermark.Truncate(c.cfg.Step)
	if start.IsZero() || !start.Before(closed) {
		return false, c.flush(ctx)
	}
	end := start.Add(c.span.Truncate(c.cfg.Step))
	if end.After(closed) {
		end = closed
	}
	w, err := c.run(ctx, start, end)
	if err != nil {
		return false, err
	}
	c.next = end
	c.settle(w, end)
	if end.Before(closed) {
		c.adapt(w.count(start))
	}
	c.metrics.lag.Set(watermark.Sub(end).Seconds())
	return true, nil
}

// open runs the boundary after the watermark before its time. It stays the next one.
func (c *cycles) open(ctx context.Context, watermark time.Time) error {
	start := watermark.Truncate(c.cfg.Step)
	if start.Before(c.next) {
		return nil // it ran in its time already, or the clock was set back
	}
	w, err := c.run(ctx, start, start.Add(c.cfg.Step))
	if err != nil {
		return err
	}
	c.settle(w, start)
	return c.flush(ctx)
}

// firstBucket is the begin of the first bucket with data from next on; zero when there
// is none.
func (c *cycles) firstBucket(ctx context.Context) (time.Time, error) {
	t, err := c.history.FirstSince(ctx, c.next)
	if err != nil {
		return time.Time{}, fmt.Errorf("look for readings: %w", err)
	}
	return t.Truncate(c.cfg.Step), nil
}

// run predicts at the boundary of every bucket in [start, end) that holds data, and of
// earlier ones that have grown since they were run.
func (c *cycles) run(ctx context.Context, start, end time.Time) (*window, error) {
	began := time.Now()
	c.settled = slices.DeleteFunc(c.settled, func(s size) bool { return s.start.Before(start.Add(-maxLate)) })
	w, err := c.load(ctx, start, end)
	if err != nil {
		return nil, err
	}
	if late := c.firstLate(w, start); late.Before(start) {
		// No cycle may be twice in one batch of the store.
		if err := c.flush(ctx); err != nil {
			return nil, err
		}
		start = late
		if w, err = c.load(ctx, start, end); err != nil {
			return nil, err
		}
	}
	c.spent += time.Since(began)
	return w, c.predict(ctx, w, start)
}

// load reads the buckets that the boundaries of [start, end) look back on, and those
// that are watched for late readings.
func (c *cycles) load(ctx context.Context, start, end time.Time) (*window, error) {
	from := start.Add(c.cfg.Step - c.cfg.Lookback)
	if len(c.settled) > 0 && c.settled[0].start.Before(from) {
		from = c.settled[0].start
	}
	buckets, err := c.history.Buckets(ctx, store.BucketQuery{From: from, To: end, Width: c.cfg.Step})
	if err != nil {
		return nil, fmt.Errorf("read buckets from %s: %w", from.Format(time.RFC3339), err)
	}
	return newWindow(buckets), nil
}

// firstLate is the begin of the first settled bucket that has grown; start when none has.
func (c *cycles) firstLate(w *window, start time.Time) time.Time {
	if len(c.settled) == 0 {
		return start
	}
	first := start
	for _, s := range w.sizes {
		if s.start.Before(c.settled[0].start) || !s.start.Before(start) || slices.Contains(c.settled, s) {
			continue
		}
		c.metrics.repeated.Inc()
		if s.start.Before(first) {
			first = s.start
		}
	}
	return first
}

// settle remembers the last buckets of w before end.
func (c *cycles) settle(w *window, end time.Time) {
	n := len(w.sizes)
	for n > 0 && !w.sizes[n-1].start.Before(end) {
		n--
	}
	c.settled = slices.Clone(w.sizes[max(0, n-remembered):n])
}

// adapt changes the span towards one that brings aimBuckets buckets.
func (c *cycles) adapt(brought int) {
	switch {
	case brought < aimBuckets/2:
		c.span = min(2*c.span, maxSpan)
	case brought > 2*aimBuckets:
		c.span = max(c.span/2, c.cfg.Step)
	}
}

// predict computes the predictions of the boundaries of w from the bucket at start on,
// and stores full batches. They are stored in order, so that a stop in between leaves
// no gap before LastCycle.
func (c *cycles) predict(ctx context.Context, w *window, start time.Time) error {
	for _, s := range w.sizes {
		if s.start.Before(start) {
			continue
		}
		if len(c.pending)+c.last > batchRows {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
		began, before := time.Now(), len(c.pending)
		c.pending = c.forecast(c.pending, w, s.start.Add(c.cfg.Step))
		c.last = len(c.pending) - before
		c.waiting++
		c.spent += time.Since(began)
	}
	return nil
}

// flush stores what is pending. After an error the store is asked again where to go on:
// it alone knows what it has.
func (c *cycles) flush(ctx context.Context) error {
	began := time.Now()
	for part := range slices.Chunk(c.pending, batchRows) {
		if err := c.forecasts.PutPredictions(ctx, part); err != nil {
			c.forget()
			return fmt.Errorf("store predictions: %w", err)
		}
	}
	c.spent += time.Since(began)
	c.metrics.generated.Add(float64(len(c.pending)))
	c.metrics.cycles.Add(float64(c.waiting))
	for range c.waiting {
		c.metrics.duration.Observe(c.spent.Seconds() / float64(c.waiting))
	}
	if c.waiting > 0 {
		c.newest = slices.Clone(c.pending[len(c.pending)-c.last:])
	}
	c.pending, c.waiting, c.spent, c.last = c.pending[:0], 0, 0, 0
	return nil
}

// forget goes back to the state before resume.
func (c *cycles) forget() {
	c.begun, c.next, c.settled = false, time.Time{}, nil
	c.pending, c.waiting, c.spent, c.last = c.pending[:0], 0, 0, 0
}

// forecast appends the predictions of one boundary, by road, then by horizon.
func (c *cycles) forecast(rows []traffic.Prediction, w *window, at time.Time) []traffic.Prediction {
	hour := at.In(c.zone).Hour()
	begin := at.Add(-c.cfg.Lookback)
	for i := range w.roads {
		trend, ok := c.fitter.Fit(w.roads[i].points(&c.points, begin, at))
		if !ok {
			continue
		}
		for _, h := range c.cfg.Horizons {
			rows = append(rows, traffic.Prediction{
				At:         at,
				Road:       w.roads[i].road,
				HorizonMin: h,
				Score:      trend.Score(c.cfg.Lookback.Minutes()+float64(h), hour),
				Confidence: trend.Confidence(),
				Model:      model.EWMALR,
			})
		}
	}
	return rows
}

// takeNewest hands over the predictions of the newest cycle that was stored since the
// last call; nil when there was none.
func (c *cycles) takeNewest() []traffic.Prediction {
	newest := c.newest
	c.newest = nil
	return newest
}
