package buffer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const (
	// thinInterval is what one average stands for.
	thinInterval = 5 * time.Minute
	// maxMeans bounds the averages being made at once.
	maxMeans = 50_000
	// worthwhile is the share of the space that averages must not exceed.
	worthwhile = 0.7
)

// thin writes the averages of a closed segment beside it and puts them in its place.
func (b *Buffer) thin(s *segment) error {
	b.mu.Lock()
	shadow := s.shadow()
	b.mu.Unlock()
	if err := shadow.open(); err != nil {
		return err
	}
	defer shadow.close()
	t := &thinning{
		from: shadow, stop: b.committed, edge: b.cfg.Edge, readings: b.cfg.BatchReadings,
		means: map[meanKey]*mean{}, begun: map[traffic.SensorID]time.Time{},
	}
	t.into = &segment{header: header{ordinal: s.ordinal, kind: kindAverages, epoch: newEpoch(), first: 1, created: s.created}, next: 1}
	if err := t.run(); err != nil {
		return err
	}
	if len(t.entries) == 0 || float64(t.size) > worthwhile*float64(shadow.bytes) {
		return errDense
	}
	t.into.path = filepath.Join(b.cfg.Dir, t.into.fileName())
	db, spent, err := t.into.create(t.into.path, b.cfg.SegmentBytes, t.entries, t.into.state(mark{}))
	b.commit.spent(spent)
	if err != nil {
		return err
	}
	t.into.bytes = spent.size
	if err := db.Close(); err != nil {
		return fmt.Errorf("close averages: %w", err)
	}
	g := b.survey(s, traffic.GapThinned)
	if err := b.replace(s, t.into, g, shadow.ackedNum); err != nil {
		return err
	}
	for _, lost := range t.damaged {
		b.lose(lost, kindRaw)
	}
	b.log.Info("readings were replaced by averages", "segment", t.into.path, "readings", g.Readings, "averages", t.made)
	return nil
}

// A thinning makes averages of one segment.
type thinning struct {
	from, into *segment
	stop       <-chan struct{}
	edge       traffic.EdgeID
	// readings is the most in one batch.
	readings int
	means    map[meanKey]*mean
	// begun is each sensor's first interval in the segment, of which the beginning may
	// be elsewhere.
	begun    map[traffic.SensorID]time.Time
	rejected []traffic.Rejected
	damaged  []traffic.Gap
	entries  []entry
	size     int64
	made     int
}

type meanKey struct {
	sensor traffic.SensorID
	begin  time.Time
}

// run reads all batches and makes the entries of the averages.
func (t *thinning) run() error {
	for n := t.from.first; n < t.from.next; n++ {
		select {
		case <-t.stop:
			return errTouched
		default:
		}
		if t.from.isAcked(n) {
			continue
		}
		batch, k, err := t.read(n)
		switch {
		case errors.Is(err, errDamaged):
			t.damaged = append(t.damaged, t.from.gapOf(k, traffic.GapDamaged))
			continue
		case err != nil:
			return err
		case batch == nil:
			continue
		}
		for i := range batch.Readings {
			t.add(&batch.Readings[i])
		}
		if len(t.rejected) < maxBatchRejected {
			t.rejected = append(t.rejected, batch.Rejected...)
		}
		if len(t.means) > maxMeans {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	t.rejected = t.rejected[:min(len(t.rejected), maxBatchRejected)]
	if len(t.rejected) > 0 {
		if err := t.append(&wire.Batch{Rejected: t.rejected}); err != nil {
			return err
		}
	}
	return t.flush()
}

// read returns a batch with times in place of stamps, nil for one that was acknowledged.
func (t *thinning) read(n uint64) (*wire.Batch, key, error) {
	e, err := t.from.read(n, true)
	if err != nil || e.gone {
		return nil, key{seq: n}, err
	}
	if t.from.stamps {
		if e, err = dated(e, t.from.offset); err != nil {
			return nil, e.key, fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	batch, err := wire.DecodeBatch(e.value)
	if err != nil {
		return nil, e.key, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return batch, e.key, nil
}

func (t *thinning) add(r *traffic.Reading) {
	k := meanKey{r.Sensor, r.At.Truncate(thinInterval)}
	if _, ok := t.begun[r.Sensor]; !ok {
		t.begun[r.Sensor] = k.begin
	}
	m := t.means[k]
	if m == nil {
		m = &mean{first: *r}
		t.means[k] = m
	}
	m.add(r)
}

// flush makes batches of the averages so far, in the order of time.
func (t *thinning) flush() error {
	keys := make([]meanKey, 0, len(t.means))
	for k := range t.means {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b meanKey) int { return cmp.Or(a.begin.Compare(b.begin), cmp.Compare(a.sensor, b.sensor)) })
	rs := make([]traffic.Reading, 0, len(keys))
	for _, k := range keys {
		rs = append(rs, t.means[k].reading(t.at(k)))
	}
	clear(t.means)
	t.made += len(rs)
	for part := range slices.Chunk(rs, t.readings) {
		if err := t.append(&wire.Batch{Readings: part}); err != nil {
			return err
		}
	}
	return nil
}

// at is the beginning of an average: that of its interval, or, where the rest of the
// interval may be elsewhere, the first reading's, whose name nothing else can have.
func (t *thinning) at(k meanKey) time.Time {
	if k.begin.Equal(t.begun[k.sensor]) || t.from.ackedNum > 0 {
		return t.means[k].first.At
	}
	return k.begin
}

// append adds a batch to the segment of averages, or several where one would be too large.
func (t *thinning) append(batch *wire.Batch) error {
	batch.Edge, batch.Epoch, batch.Seq = t.edge, t.into.epoch, t.into.next
	value, err := wire.EncodeBatch(batch)
	if err != nil {
		n, m := len(batch.Readings)/2, len(batch.Rejected)/2
		if n+m == 0 {
			return fmt.Errorf("encode averages: %w", err)
		}
		if err := t.append(&wire.Batch{Readings: batch.Readings[:n], Rejected: batch.Rejected[:m]}); err != nil {
			return err
		}
		return t.append(&wire.Batch{Readings: batch.Readings[n:], Rejected: batch.Rejected[m:]})
	}
	e := entry{key: keyOf(batch, value, t.into.created), value: value}
	t.entries = append(t.entries, e)
	t.size += int64(len(value)) + keyBytes
	t.into.next, t.into.last = t.into.next+1, e.key.to
	return nil
}

// A mean adds up the readings of one sensor in one interval.
type mean struct {
	// first is the earliest of them, with the latest road and place.
	first      traffic.Reading
	speed      sum
	flow       sum
	occupancy  sum
	score      sum
	weighted   float64 // of speeds, by flow
	weights    float64
	unweighted bool // some speed came without a flow
}

type sum struct {
	total float64
	n     int
}

func (s *sum) add(v traffic.Value) {
	if f, ok := v.Get(); ok {
		s.total, s.n = s.total+f, s.n+1
	}
}

// mean rounds to a number of decimals that is finer than detectors, and short on the wire.
func (s *sum) mean(decimals int) traffic.Value {
	if s.n == 0 {
		return traffic.Value{}
	}
	return traffic.Some(round(s.total/float64(s.n), decimals))
}

func round(f float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(f*unit) / unit
}

func (m *mean) add(r *traffic.Reading) {
	m.speed.add(r.Speed)
	m.flow.add(r.Flow)
	m.occupancy.add(r.Occupancy)
	m.score.add(r.Score)
	if v, ok := r.Speed.Get(); ok {
		flow, ok := r.Flow.Get()
		m.weighted, m.weights = m.weighted+v*flow, m.weights+flow
		m.unweighted = m.unweighted || !ok
	}
	if r.At.Before(m.first.At) {
		m.first.At = r.At
	}
	m.first.Quality |= r.Quality
	m.first.Road = r.Road
	if r.Place != nil {
		m.first.Place = r.Place
	}
}

// reading is the average. Speeds are weighted by flow where each has one: the mean over
// the vehicles, not over the readings.
func (m *mean) reading(at time.Time) traffic.Reading {
	r := m.first
	r.At = at
	r.Quality |= traffic.QualityThinned
	r.Speed, r.Flow = m.speed.mean(2), m.flow.mean(1)
	r.Occupancy, r.Score = m.occupancy.mean(5), m.score.mean(4)
	if r.Speed.Known() && !m.unweighted && m.weights > 0 {
		r.Speed = traffic.Some(round(m.weighted/m.weights, 2))
	}
	return r
}
