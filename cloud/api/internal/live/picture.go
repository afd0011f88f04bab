package live

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// StaleAfter is how far the newest forecast may lie behind the newest measurement:
// three cycles of the predictor.
const StaleAfter = 15 * time.Minute

// A PredictionKey names the forecast in force of a road and horizon: the newest one,
// whichever model made it.
type PredictionKey struct {
	Road       traffic.RoadID
	HorizonMin int
}

func keyOf(p *traffic.Prediction) PredictionKey { return PredictionKey{p.Road, p.HorizonMin} }

func comparePredictions(a, b PredictionKey) int {
	return cmp.Or(cmp.Compare(a.Road, b.Road), cmp.Compare(a.HorizonMin, b.HorizonMin))
}

type (
	roadRow       = row[traffic.RoadID, traffic.RoadState]
	predictionRow = row[PredictionKey, traffic.Prediction]
)

// A Picture is what is known about now: the newest state of each road, the newest
// forecasts, the advice in force and the alerts that go on. It is safe for concurrent use.
type Picture struct {
	label func(traffic.RoadID) string
	now   func() time.Time

	mu          sync.RWMutex
	roads       table[traffic.RoadID, traffic.RoadState]
	predictions table[PredictionKey, traffic.Prediction]
	advice      whole[traffic.Reroute]
	alerts      whole[traffic.Alert]
	// revision counts changes; seq counts the ticks that announced some. Both
	// begin at a random number, so that those of another process are recognised.
	revision, seq uint64
	// floor is the oldest seq from which a client can be brought up to date by
	// changes alone.
	floor uint64
	// generation counts the times that rows came or went.
	generation uint64
	watermark  time.Time
	forecastAt time.Time
	synced     bool
	head       *frame
}

// A whole is a list that changes as a whole.
type whole[T any] struct {
	list    []T
	text    []byte
	seq     uint64
	touched uint64
	dirty   bool
}

// set replaces the list with what the bus said.
func (w *whole[T]) set(list []T, text []byte, rev uint64) {
	w.list, w.text, w.touched, w.dirty = list, text, rev, true
}

// reconcile replaces it with what the store held when the revision was since.
func (w *whole[T]) reconcile(since uint64, list []T, text []byte) {
	if w.touched <= since && string(text) != string(w.text) {
		w.list, w.text, w.dirty = list, text, true
	}
}

// announce gives it the seq of this tick when it changed.
func (w *whole[T]) announce(seq uint64) {
	if w.dirty {
		w.dirty, w.seq = false, seq
	}
}

// maxBase keeps sequence numbers exact in JavaScript, with room to grow.
const maxBase = 1 << 52

// NewPicture returns an empty picture. label gives the names of roads, now the clock
// that bounds the watermark.
func NewPicture(label func(traffic.RoadID) string, now func() time.Time) *Picture {
	base := 1 + rand.Uint64N(maxBase)
	return &Picture{
		label: label, now: now, revision: base, seq: base, floor: base,
		roads: newTable[traffic.RoadID](cmp.Compare[traffic.RoadID],
			func(s *traffic.RoadState) time.Time { return s.At },
			func(s *traffic.RoadState) any { return payload.OfState(s) }),
		predictions: newTable(comparePredictions,
			func(p *traffic.Prediction) time.Time { return p.At },
			func(p *traffic.Prediction) any { return payload.OfPrediction(p) }),
		advice: whole[traffic.Reroute]{text: []byte("[]")},
		alerts: whole[traffic.Alert]{text: []byte("[]")},
		head:   &frame{seq: base, prev: base},
	}
}

// applyRoads takes news of roads over and reports whether one is new.
func (p *Picture) applyRoads(states []traffic.RoadState) (added bool) {
	keys := make([]traffic.RoadID, len(states))
	for i := range states {
		keys[i] = states[i].Road
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	n := len(p.roads.order)
	p.roads.put(p.revision, keys, states)
	for i := range states {
		p.see(states[i].At)
	}
	if len(p.roads.order) > n {
		p.generation++
		return true
	}
	return false
}

// see moves the watermark. A time that no clock can have yet is left out, so that one
// sensor whose clock runs ahead does not make everything else look old.
func (p *Picture) see(at time.Time) {
	if at.After(p.watermark) && !at.After(p.now().Add(traffic.MaxFuture)) {
		p.watermark = at.UTC()
	}
}

func (p *Picture) applyPredictions(ps []traffic.Prediction) {
	keys, kept := usable(ps)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	n := len(p.predictions.order)
	p.predictions.put(p.revision, keys, kept)
	for i := range kept {
		p.foresee(kept[i].At)
	}
	if len(p.predictions.order) > n {
		p.generation++
	}
}

func (p *Picture) foresee(at time.Time) {
	if at.After(p.forecastAt) {
		p.forecastAt = at.UTC()
	}
}

// usable leaves out forecasts with a number that JSON cannot carry, and of each key keeps
// the newest, or the most confident of one time.
func usable(ps []traffic.Prediction) ([]PredictionKey, []traffic.Prediction) {
	keys, kept := make([]PredictionKey, 0, len(ps)), make([]traffic.Prediction, 0, len(ps))
	for i := range ps {
		p := &ps[i]
		if !finite(p.Score) || !finite(p.Confidence) {
			continue
		}
		n := len(keys) - 1 // those of one key follow each other
		if n < 0 || keys[n] != keyOf(p) {
			keys, kept = append(keys, keyOf(p)), append(kept, *p)
			continue
		}
		if cmp.Or(p.At.Compare(kept[n].At), cmp.Compare(p.Confidence, kept[n].Confidence)) > 0 {
			kept[n] = *p
		}
	}
	return keys, kept
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func (p *Picture) applyReroutes(rs []traffic.Reroute) error {
	text, err := p.encodeReroutes(rs)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	p.advice.set(rs, text, p.revision)
	return nil
}

func (p *Picture) encodeReroutes(rs []traffic.Reroute) ([]byte, error) {
	shown := make([]payload.Reroute, 0, len(rs))
	for i := range rs {
		if !finite(rs[i].CO2GainKg) || !finite(rs[i].ETAGainMin) {
			continue
		}
		r, err := payload.OfReroute(&rs[i], p.label)
		if err != nil {
			return nil, err
		}
		shown = append(shown, r)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encode advice: %w", err)
	}
	return text, nil
}

// held is everything that a store holds about now.
type held struct {
	roads       []traffic.RoadState
	predictions []traffic.Prediction
	reroutes    []traffic.Reroute
	alerts      []traffic.Alert
}

// reconcile makes the picture agree with what was read from the store after the
// picture had the given revision. Clients learn the differences at the next tick.
func (p *Picture) reconcile(since uint64, h held) error {
	text, err := p.encodeReroutes(h.reroutes)
	if err != nil {
		return err
	}
	alerts, err := p.encodeAlerts(h.alerts)
	if err != nil {
		return err
	}
	roadKeys := make([]traffic.RoadID, len(h.roads))
	for i := range h.roads {
		roadKeys[i] = h.roads[i].Road
	}
	predictionKeys, predictions := usable(h.predictions)

	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	p.generation++
	vanished := p.roads.reconcile(since, roadKeys, h.roads, sameState)
	vanished = p.predictions.reconcile(since, predictionKeys, predictions, samePrediction) || vanished
	p.advice.reconcile(since, h.reroutes, text)
	p.alerts.reconcile(since, h.alerts, alerts)
	for i := range h.roads {
		p.see(h.roads[i].At)
	}
	for i := range predictions {
		p.foresee(predictions[i].At)
	}
	if vanished {
		p.seq++ // what went cannot be told as a change: everybody begins anew
		p.floor = p.seq
	}
	p.synced = true
	return nil
}

func sameState(a, b *traffic.RoadState) bool {
	x, y := *a, *b
	x.At, y.At, x.Place, y.Place = time.Time{}, time.Time{}, nil, nil
	return x == y && a.At.Equal(b.At)
}

func samePrediction(a, b *traffic.Prediction) bool {
	x, y := *a, *b
	x.At, y.At = time.Time{}, time.Time{}
	return x == y && a.At.Equal(b.At)
}

// tick announces what changed since the last one and reports whether anything did.
// Forecasts come in large cycles and may be held back.
func (p *Picture) tick(withPredictions bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	forecasts := withPredictions && len(p.predictions.dirty) > 0
	if len(p.roads.dirty) == 0 && !forecasts && !p.advice.dirty && !p.alerts.dirty && p.floor <= p.head.seq {
		return false
	}
	f := &frame{prev: p.seq, seq: p.seq + 1}
	p.seq = f.seq
	f.roads = p.roads.announce(f.seq)
	if forecasts {
		f.predictions = p.predictions.announce(f.seq)
	}
	p.advice.announce(f.seq)
	p.alerts.announce(f.seq)
	p.head = f
	return true
}

// Ready returns nil once the picture was read from the store.
func (p *Picture) Ready(context.Context) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.synced {
		return errNotSynced
	}
	return nil
}

// Revision changes whenever the picture does.
func (p *Picture) Revision() uint64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.revision
}

// Watermark is the newest measured time, zero when there is none.
func (p *Picture) Watermark() time.Time {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.watermark
}

// Stale reports whether the newest forecast lies too far behind the measurements.
func (p *Picture) Stale() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return !p.watermark.IsZero() && p.watermark.Sub(p.forecastAt) > StaleAfter
}

// State is the newest state of a road and its JSON; false when there is none.
func (p *Picture) State(id traffic.RoadID) (traffic.RoadState, []byte, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	r := p.roads.rows[id]
	if r == nil {
		return traffic.RoadState{}, nil, false
	}
	text, err := p.roads.json(r)
	return r.value, text, err == nil
}

// A Part is a part of a list: the JSON of its items, and the key of the last one.
type Part[K any] struct {
	Items []json.RawMessage
	Last  K
	More  bool
}

// States lists the states of the roads that keep wants, in the order of their ids,
// beginning after the given one.
func (p *Picture) States(keep func(traffic.RoadID) bool, after traffic.RoadID, limit int) (Part[traffic.RoadID], error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return list(&p.roads, func(r *roadRow) bool { return keep(r.key) }, p.roads.after(after), limit)
}

// Predictions lists the newest forecasts that keep wants, in the order of their keys,
// beginning after the given one.
func (p *Picture) Predictions(keep func(*traffic.Prediction) bool, after PredictionKey, limit int) (Part[PredictionKey], error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return list(&p.predictions, func(r *predictionRow) bool { return keep(&r.value) }, p.predictions.after(after), limit)
}

func list[K comparable, V any](t *table[K, V], keep func(*row[K, V]) bool, from, limit int) (Part[K], error) {
	part := Part[K]{Items: []json.RawMessage{}}
	for _, r := range t.order[from:] {
		if !keep(r) {
			continue
		}
		if len(part.Items) == limit {
			part.More = true
			return part, nil
		}
		text, err := t.json(r)
		if err != nil {
			return part, err
		}
		part.Items, part.Last = append(part.Items, text), r.key
	}
	return part, nil
}
