package predictor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
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

// Evidence is where it is kept how well the models do.
type Evidence interface {
	store.SkillWriter
	store.SkillReader
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
	// manyRoads is from how many roads on the watched buckets are not read at every cycle
	// but at every seldom-th.
	manyRoads = 20_000
	seldom    = 6
)

// cycles walks along event time. It is used by one goroutine.
type cycles struct {
	cfg       Config
	zone      *time.Location
	history   History
	forecasts Forecasts
	evidence  Evidence
	metrics   *metrics
	// school has the trained models to use from the next cycle on.
	school *school

	city     *city
	memory   *memory
	speakers *speakers
	board    *evaluate.Board
	alarms   *alarms

	// begun says that next was read from the store.
	begun bool
	// warm says that memory holds the steps before next.
	warm bool
	// next is the begin of the first bucket whose boundary has not run for good.
	next time.Time
	// span is how much event time the next query asks for.
	span time.Duration
	// settled are the last buckets before next with the number of readings they had
	// when their boundary ran, oldest first. Readings are never changed or taken
	// away, so the number tells whether some came late. runs counts the queries.
	settled []size
	runs    int
	// pending are predictions that are not stored yet, in the order of their cycles,
	// of waiting cycles that took spent to compute.
	pending []traffic.Prediction
	waiting int
	spent   time.Duration
	// last is the number of predictions of the last cycle in pending.
	last int
	// newest are the predictions of the newest cycle that was stored.
	newest []traffic.Prediction
}

// A size is how many readings all roads together have in one bucket.
type size struct {
	start   time.Time
	samples int64
}

// resume continues after the predictions that are stored. The last stored boundary runs
// again when it had run early, which is so when its step has not taught anything yet.
func (c *cycles) resume(ctx context.Context) error {
	if c.begun {
		return nil
	}
	last, err := c.lastCycle(ctx)
	if err != nil {
		return err
	}
	skills, err := c.evidence.Skills(ctx)
	if err != nil {
		return fmt.Errorf("read skill of models: %w", err)
	}
	skills = slices.DeleteFunc(skills, func(s traffic.Skill) bool { return s.Shard != c.cfg.Shard })
	c.board = evaluate.New(boardConfig(&c.cfg))
	c.board.SetRoads(c.city.groups)
	c.board.Restore(skills)
	if err := c.alarms.resume(ctx, c.city, c.memory); err != nil {
		return err
	}
	if c.cfg.Shards > 1 && c.board.Through() > 0 {
		// What others stored says nothing about this shard.
		own := time.Unix(c.board.Through()*int64(c.cfg.Step/time.Second), 0).UTC()
		last = own.Add((grace + 1) * c.cfg.Step)
	}
	c.next = last
	if !last.IsZero() && c.board.Through() < c.memory.number(last)-1-grace {
		c.next = last.Add(-c.cfg.Step)
	}
	c.begun = true
	c.span = max(c.span, time.Hour)
	return nil
}

// lastCycle is the newest time at which any model spoke.
func (c *cycles) lastCycle(ctx context.Context) (time.Time, error) {
	var last time.Time
	for _, m := range c.cfg.Models {
		t, err := c.forecasts.LastCycle(ctx, m)
		if err != nil {
			return time.Time{}, fmt.Errorf("read last cycle: %w", err)
		}
		if t.After(last) {
			last = t
		}
	}
	return last, nil
}

func boardConfig(cfg *Config) evaluate.Config {
	out := evaluate.Config{
		Models: cfg.Models, Persistence: model.PersistenceName, Profile: model.ProfileName,
		HorizonMin: cfg.Horizons, Groups: groups(), Step: cfg.Step, Grace: grace, HalfLife: cfg.HalfLife,
	}
	for _, h := range cfg.Horizons {
		out.Steps = append(out.Steps, cfg.stepsAhead(h))
	}
	return out
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
	brought, err := c.run(ctx, start, end, true)
	if err != nil {
		return false, err
	}
	c.next = end
	if end.Before(closed) {
		c.adapt(brought)
	}
	c.metrics.lag.Set(watermark.Sub(end).Seconds())
	c.school.reach(end)
	return true, nil
}

// open runs the boundary after the watermark before its time. It stays the next one.
func (c *cycles) open(ctx context.Context, watermark time.Time) error {
	start := watermark.Truncate(c.cfg.Step)
	if start.Before(c.next) {
		return nil // it ran in its time already, or the clock was set back
	}
	if _, err := c.run(ctx, start, start.Add(c.cfg.Step), false); err != nil {
		return err
	}
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
// earlier ones that have grown since they were run. final says that it is their time. It
// returns how many buckets of roads there were.
func (c *cycles) run(ctx context.Context, start, end time.Time, final bool) (int, error) {
	began := time.Now()
	c.settled = slices.DeleteFunc(c.settled, func(s size) bool { return s.start.Before(start.Add(-maxLate)) })
	slots, err := c.load(ctx, c.readFrom(start), end)
	if err != nil {
		return 0, err
	}
	first := start
	if late := c.firstLate(slots, start); late.Before(start) {
		// No cycle may be twice in one batch of the store.
		if err := c.flush(ctx); err != nil {
			return 0, err
		}
		c.memory, c.warm, first = newMemory(&c.cfg), false, late
		if slots, err = c.load(ctx, late.Add(-depth*c.cfg.Step), end); err != nil {
			return 0, err
		}
	}
	c.spent += time.Since(began)
	brought, err := c.walk(ctx, slots, first, start, final)
	if err != nil {
		// What was remembered half-way is read again.
		c.memory, c.warm = newMemory(&c.cfg), false
		return 0, err
	}
	c.warm = true
	settledEnd := end
	if !final {
		settledEnd = start
	}
	c.settle(slots, settledEnd)
	return brought, nil
}

// readFrom is from where on a run that begins at start has to read.
func (c *cycles) readFrom(start time.Time) time.Time {
	c.runs++
	switch {
	case !c.warm:
		return start.Add(-depth * c.cfg.Step)
	case len(c.settled) > 0 && (len(c.city.roads) < manyRoads || c.runs%seldom == 0):
		return c.settled[0].start
	}
	return start
}

// load reads the buckets of [from, end), and what there is to know of their roads.
func (c *cycles) load(ctx context.Context, from, end time.Time) ([]slot, error) {
	buckets, err := c.history.Buckets(ctx, store.BucketQuery{From: from, To: end, Width: c.cfg.Step})
	if err != nil {
		return nil, fmt.Errorf("read buckets from %s: %w", from.Format(time.RFC3339), err)
	}
	slots := c.city.slots(buckets)
	changed, err := c.city.settle(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	if changed {
		c.school.settle(&plan{c.city.ids(), c.city.graph})
	}
	c.board.SetRoads(c.city.groups)
	c.alarms.detector.SetNeighbours(c.city.graph.Of)
	return slots, nil
}

// firstLate is the begin of the first settled bucket that has grown; start when none has.
func (c *cycles) firstLate(slots []slot, start time.Time) time.Time {
	if len(c.settled) == 0 {
		return start
	}
	first := start
	for i := range slots {
		s := size{slots[i].start, slots[i].samples}
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

// settle remembers the last buckets before end.
func (c *cycles) settle(slots []slot, end time.Time) {
	for i := range slots {
		s := size{slots[i].start, slots[i].samples}
		if !s.start.Before(end) {
			break
		}
		c.settled = slices.DeleteFunc(c.settled, func(old size) bool { return old.start.Equal(s.start) })
		c.settled = append(c.settled, s)
	}
	c.settled = slices.Delete(c.settled, 0, max(0, len(c.settled)-remembered))
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

// walk goes through slots in order of time. Those before first are remembered when memory
// is empty, and forecast from without storing when their truth is still to come; those from
// first on get their cycle, and those before start had theirs before. Predictions are stored
// in order, so that a stop in between leaves no gap before lastCycle.
func (c *cycles) walk(ctx context.Context, slots []slot, first, start time.Time, final bool) (int, error) {
	brought := 0
	c.memory.grow(len(c.city.roads))
	c.speakers.bind(c.school.lineup.Load(), c.city)
	warm := c.warm
	for i := range slots {
		s := &slots[i]
		began, before := time.Now(), len(c.pending)
		switch {
		case s.start.Before(first) && warm:
			continue
		case s.start.Before(first):
			if err := c.recall(s); err != nil {
				return 0, err
			}
			continue
		}
		if !s.start.Before(start) {
			brought += len(s.entries)
		}
		if before+c.last > batchRows {
			if err := c.flush(ctx); err != nil {
				return 0, err
			}
			before = len(c.pending)
		}
		if err := c.cycle(s, final); err != nil {
			return 0, err
		}
		c.last = len(c.pending) - before
		c.waiting++
		c.spent += time.Since(began)
	}
	return brought, nil
}

// recall remembers a slot whose cycle is long done, with the forecasts made then.
func (c *cycles) recall(s *slot) error {
	if err := c.memory.push(s); err != nil {
		return err
	}
	c.speak()
	c.issue()
	c.alarms.levels.measure(s, len(c.city.roads))
	c.alarms.keep(c, c.memory.newest()+int64(c.alarms.ahead), len(c.city.roads))
	return nil
}

// cycle is the boundary after a slot.
func (c *cycles) cycle(s *slot, final bool) error {
	if err := c.memory.push(s); err != nil {
		return err
	}
	if final {
		c.learn()
	}
	c.speak()
	c.pending = c.serve(c.pending, s.start.Add(c.cfg.Step))
	if final {
		// Who speaks is decided for the next boundary, so that one which runs early and
		// again in its time has the same models speak.
		c.issue()
		c.board.Judge()
		c.alarms.look(c, s)
	}
	return nil
}

// speak lets the models forecast from what is remembered.
func (c *cycles) speak() {
	at := time.Unix((c.memory.newest()+1)*int64(c.cfg.Step/time.Second), 0)
	c.speakers.speak(c.memory, at.In(c.zone).Hour())
}

// flush stores what is pending. After an error the store is asked again where to go on:
// it alone knows what it has.
func (c *cycles) flush(ctx context.Context) error {
	began := time.Now()
	if err := c.put(ctx); err != nil {
		c.forget()
		return err
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

// put writes predictions, alerts and skill, each with one call.
func (c *cycles) put(ctx context.Context) error {
	if c.waiting == 0 {
		return nil
	}
	if err := c.forecasts.PutPredictions(ctx, c.pending); err != nil {
		return fmt.Errorf("store predictions: %w", err)
	}
	if err := c.alarms.put(ctx); err != nil {
		return err
	}
	skills := c.board.Skills(c.cfg.Shard)
	if err := c.evidence.PutSkills(ctx, c.cfg.Shard, c.cfg.Shards, skills); err != nil {
		return fmt.Errorf("store skill of models: %w", err)
	}
	c.metrics.skill.show(skills)
	return nil
}

// forget goes back to the state before resume.
func (c *cycles) forget() {
	c.begun, c.warm, c.next, c.settled = false, false, time.Time{}, nil
	c.memory = newMemory(&c.cfg)
	c.pending, c.waiting, c.spent, c.last = c.pending[:0], 0, 0, 0
}

// takeNewest hands over the predictions of the newest cycle that was stored since the
// last call; nil when there was none.
func (c *cycles) takeNewest() []traffic.Prediction {
	newest := c.newest
	c.newest = nil
	return newest
}
