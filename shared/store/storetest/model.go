package storetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// model is the plainest store that keeps the promise: maps, and a scan for every
// question. Backends are compared with it.
type model struct {
	readings    map[readingKey]traffic.Reading
	latest      map[traffic.RoadID]traffic.RoadState
	roads       map[traffic.RoadID]traffic.Road
	predictions map[predictionKey]traffic.Prediction
	reroutes    map[rerouteKey]traffic.Reroute
}

type readingKey struct {
	sensor traffic.SensorID
	at     int64
}

type predictionKey struct {
	at      int64
	road    traffic.RoadID
	horizon int
	model   string
}

type rerouteKey struct {
	at         int64
	route, alt traffic.RoadID
}

func newModel() *model {
	return &model{
		readings:    map[readingKey]traffic.Reading{},
		latest:      map[traffic.RoadID]traffic.RoadState{},
		roads:       map[traffic.RoadID]traffic.Road{},
		predictions: map[predictionKey]traffic.Prediction{},
		reroutes:    map[rerouteKey]traffic.Reroute{},
	}
}

// stored is a reading as it comes back.
func stored(r traffic.Reading) traffic.Reading {
	r.At = time.UnixMicro(r.At.UnixMicro()).UTC()
	r.Place = nil
	return r
}

func (m *model) append(rs []traffic.Reading) store.Appended {
	var out store.Appended
	moved := map[traffic.RoadID]bool{}
	for _, r := range rs {
		k := readingKey{r.Sensor, r.At.UnixMicro()}
		if _, ok := m.readings[k]; ok {
			out.Duplicate++
			continue
		}
		out.New++
		m.readings[k] = stored(r)
		road := m.roads[r.Road]
		road.ID = r.Road
		if p := r.Place; p != nil {
			road.Label = cmp.Or(p.Label, road.Label)
			if p.Lat.Known() {
				road.Lat, road.Lng = p.Lat, p.Lng
			}
		}
		m.roads[r.Road] = road
		if old, ok := m.latest[r.Road]; !ok || stored(r).At.After(old.At) {
			m.latest[r.Road] = traffic.RoadState{Reading: stored(r)}
			moved[r.Road] = true
		}
	}
	for road := range moved {
		out.Latest = append(out.Latest, m.latest[road])
	}
	slices.SortFunc(out.Latest, func(a, b traffic.RoadState) int { return cmp.Compare(a.Road, b.Road) })
	return out
}

func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}

func (m *model) readingsOf(q store.ReadingQuery) []traffic.Reading {
	var out []traffic.Reading
	for _, r := range m.readings {
		if r.Road == q.Road && within(r.At, q.From, q.To) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b traffic.Reading) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(string(a.Sensor), string(b.Sensor)))
	})
	return out
}

func (m *model) states() []traffic.RoadState {
	var out []traffic.RoadState
	for _, s := range m.latest {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b traffic.RoadState) int { return cmp.Compare(a.Road, b.Road) })
	return out
}

// mean is a running average of what was measured.
type mean struct {
	sum float64
	n   int
}

func (a *mean) add(v traffic.Value) {
	if f, ok := v.Get(); ok {
		a.sum += f
		a.n++
	}
}

func (a *mean) value() traffic.Value {
	if a.n == 0 {
		return traffic.Value{}
	}
	return traffic.Some(a.sum / float64(a.n))
}

func (m *model) buckets(q store.BucketQuery) []traffic.Bucket {
	type key struct {
		road  traffic.RoadID
		start int64
	}
	type sums struct {
		speed, flow, occupancy, score mean
		n                             int64
	}
	width := int64(q.Width / time.Second)
	by := map[key]*sums{}
	for _, r := range m.readings {
		if !within(r.At, q.From, q.To) || (q.Roads != nil && !slices.Contains(q.Roads, r.Road)) {
			continue
		}
		k := key{r.Road, r.At.Unix() / width * width}
		if by[k] == nil {
			by[k] = &sums{}
		}
		by[k].speed.add(r.Speed)
		by[k].flow.add(r.Flow)
		by[k].occupancy.add(r.Occupancy)
		by[k].score.add(r.Score)
		by[k].n++
	}
	var out []traffic.Bucket
	for k, s := range by {
		out = append(out, traffic.Bucket{
			Road: k.road, Start: time.Unix(k.start, 0).UTC(), Width: q.Width, Samples: s.n,
			Speed: s.speed.value(), Flow: s.flow.value(), Occupancy: s.occupancy.value(), Score: s.score.value(),
		})
	}
	slices.SortFunc(out, func(a, b traffic.Bucket) int { return cmp.Or(cmp.Compare(a.Road, b.Road), a.Start.Compare(b.Start)) })
	return out
}

func (m *model) watermark(limit time.Time) (newest time.Time) {
	for _, r := range m.readings {
		if !r.At.After(limit) && r.At.After(newest) {
			newest = r.At
		}
	}
	return newest
}

func (m *model) firstSince(from time.Time) (oldest time.Time) {
	for _, r := range m.readings {
		if !r.At.Before(from) && (oldest.IsZero() || r.At.Before(oldest)) {
			oldest = r.At
		}
	}
	return oldest
}

func (m *model) putRoads(roads []traffic.Road) {
	for _, r := range roads {
		old := m.roads[r.ID]
		m.roads[r.ID] = traffic.Road{
			ID: r.ID, Label: cmp.Or(r.Label, old.Label), Class: cmp.Or(r.Class, old.Class),
			FromNode: cmp.Or(r.FromNode, old.FromNode), ToNode: cmp.Or(r.ToNode, old.ToNode),
			Lat: cmp.Or(r.Lat, old.Lat), Lng: cmp.Or(r.Lng, old.Lng), LengthM: cmp.Or(r.LengthM, old.LengthM),
			FreeFlowKMH: cmp.Or(r.FreeFlowKMH, old.FreeFlowKMH), CapacityVPH: cmp.Or(r.CapacityVPH, old.CapacityVPH),
			Geometry: old.Geometry,
		}
		if r.Geometry != nil {
			road := m.roads[r.ID]
			road.Geometry = r.Geometry
			m.roads[r.ID] = road
		}
	}
}

func (m *model) roadList() []traffic.Road {
	var out []traffic.Road
	for _, r := range m.roads {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b traffic.Road) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (m *model) putPredictions(ps []traffic.Prediction) {
	for _, p := range ps {
		p.At = time.UnixMicro(p.At.UnixMicro()).UTC()
		m.predictions[predictionKey{p.At.UnixMicro(), p.Road, p.HorizonMin, p.Model}] = p
	}
}

func (m *model) predictionList(q store.PredictionQuery) []traffic.Prediction {
	var out []traffic.Prediction
	for _, p := range m.predictions {
		if within(p.At, q.From, q.To) && (q.Roads == nil || slices.Contains(q.Roads, p.Road)) &&
			(q.HorizonMin == 0 || q.HorizonMin == p.HorizonMin) && (q.Model == "" || q.Model == p.Model) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b traffic.Prediction) int { return cmp.Or(b.At.Compare(a.At), compareKinds(a, b)) })
	return out
}

func compareKinds(a, b traffic.Prediction) int {
	return cmp.Or(cmp.Compare(a.Road, b.Road), cmp.Compare(a.HorizonMin, b.HorizonMin), cmp.Compare(a.Model, b.Model))
}

func (m *model) latestPredictions(q store.PredictionQuery) []traffic.Prediction {
	list := m.predictionList(q) // newest first
	slices.SortStableFunc(list, compareKinds)
	return slices.CompactFunc(list, func(a, b traffic.Prediction) bool { return compareKinds(a, b) == 0 })
}

func (m *model) lastCycle(name string) time.Time {
	list := m.predictionList(store.PredictionQuery{Model: name})
	if len(list) == 0 {
		return time.Time{}
	}
	return list[0].At
}

func (m *model) putReroutes(at time.Time, rs []traffic.Reroute) {
	for k, r := range m.reroutes {
		if r.Status == traffic.RerouteProposed && r.At.Before(at) {
			r.Status = traffic.RerouteExpired
			m.reroutes[k] = r
		}
	}
	for _, r := range rs {
		m.reroutes[rerouteKey{r.At.UnixMicro(), r.Route, r.Alt}] = r
	}
}

func (m *model) rerouteList(q store.RerouteQuery) []traffic.Reroute {
	var out []traffic.Reroute
	for _, r := range m.reroutes {
		if within(r.At, q.From, q.To) && (q.Route == "" || r.Route == q.Route) && (q.Statuses == nil || slices.Contains(q.Statuses, r.Status)) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b traffic.Reroute) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Route, b.Route), cmp.Compare(a.Alt, b.Alt))
	})
	return out
}
