package detour

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/emission"
	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
)

// A Detour is a way round a congested road that is faster than the way through it.
type Detour struct {
	// Way is the usual way, in driving order: the congested road, with the roads
	// before and after it to where traffic can leave and come back.
	Way []int32
	// Path is the detour, in driving order, from the beginning of Way to its end.
	Path []int32
	// WayTime and PathTime are the driving times of one vehicle, in whole
	// milliseconds.
	WayTime, PathTime time.Duration
	// WayCO2 and PathCO2 are the emissions of one car in grams.
	WayCO2, PathCO2 float64
}

// Outcome says why there is a detour or none.
type Outcome string

// The outcomes of a search.
const (
	// Found means that there is a detour worth taking.
	Found Outcome = "found"
	// NoGain means that there are detours, and none is fast enough.
	NoGain Outcome = "no_gain"
	// NoDetour means that there is no other way at all.
	NoDetour Outcome = "no_detour"
)

// Speeds are the driving times of one moment. They never change.
type Speeds struct {
	g      *Graph
	kmh    []float64
	millis []routing.Weight
	// open are the same times, Infinity on roads that no detour may use.
	open   []routing.Weight
	metric *cch.Metric
}

// NewSpeeds works out the driving times of g's roads, given their speeds in km/h, all
// positive: milliseconds, at least one, rounded. No detour leads over a road that is
// shut; nil shuts none.
func NewSpeeds(g *Graph, kmh []float64, shut []bool) *Speeds {
	s := &Speeds{g: g, kmh: kmh, millis: make([]routing.Weight, len(kmh)), open: make([]routing.Weight, len(kmh))}
	for r, v := range kmh {
		ms := math.Round(g.roads[r].lengthM / v * 3600)
		s.millis[r] = routing.Weight(min(float64(routing.Infinity), max(1, ms)))
		s.open[r] = s.millis[r]
		if shut != nil && shut[r] {
			s.open[r] = routing.Infinity
		}
	}
	metric, err := g.ways.Customize(s.open, 0)
	if err != nil {
		panic(fmt.Sprintf("detour: speeds of another graph: %v", err))
	}
	s.metric = metric
	return s
}

// Time is the driving time of one vehicle on road r.
func (s *Speeds) Time(r int32) time.Duration { return time.Duration(s.millis[r]) * time.Millisecond }

// A Finder finds detours. It is not safe for concurrent use; a cycle makes several of
// one set of speeds.
type Finder struct {
	g      *Graph
	speeds *Speeds
	search *search
	ways   *cch.Query
}

// NewFinder returns a finder for some speeds.
func NewFinder(s *Speeds) *Finder {
	return &Finder{g: s.g, speeds: s, search: newSearch(s.g, s.open), ways: s.metric.NewQuery()}
}

// Around finds the best detour for road r that saves minGain at least. It first avoids the shortest way through r
// that begins where traffic can leave it and ends where traffic can come back: r
// itself, or, where its ends lie in the middle of a block, the pieces around it. When
// no detour for that gains enough, ways that begin one junction earlier, end one
// later, or both, are tried, and the one that gains most is taken. Of the movements
// through r, those that look like the same street count.
func (f *Finder) Around(r int32, minGain time.Duration) (Detour, Outcome) {
	least := millisOf(minGain)
	way := f.widened([]int32{r})
	if d := f.try(way, least); d != nil {
		return *d, Found
	}
	var best *Detour
	for _, longer := range f.longerWays(way) {
		if d := f.try(longer, least); d != nil && (best == nil || d.Gain() > best.Gain()) {
			best = d
		}
	}
	if best != nil {
		return *best, Found
	}
	if f.search.connected(f.queryFor(way)) {
		return Detour{}, NoGain
	}
	return Detour{}, NoDetour
}

// Again is an earlier detour at the finder's speeds; false when it does not save
// minGain any more.
func (f *Finder) Again(d Detour, minGain time.Duration) (Detour, bool) {
	d.WayTime, d.WayCO2 = f.cost(d.Way)
	d.PathTime, d.PathCO2 = f.cost(d.Path)
	return d, d.Gain() > minGain
}

// unbounded is more than any way takes.
const unbounded = routing.Infinity

func millisOf(d time.Duration) routing.Weight { return routing.Weight(d / time.Millisecond) }

// Gain is what the detour saves one vehicle.
func (d *Detour) Gain() time.Duration { return d.WayTime - d.PathTime }

// try looks for a detour round a whole way; nil when none gains more than the least.
func (f *Finder) try(way []int32, least routing.Weight) *Detour {
	d := &Detour{Way: way}
	d.WayTime, d.WayCO2 = f.cost(way)
	total := min(unbounded, millisOf(d.WayTime))
	if total <= least {
		return nil
	}
	q := f.queryFor(way)
	q.budget = total - least
	path, ok := f.fastest(q)
	if !ok || f.crossesItself(path) {
		return nil
	}
	d.Path = path
	d.PathTime, d.PathCO2 = f.cost(path)
	return d
}

// fastest answers a query. The fastest way of all is the fastest allowed one when it is
// allowed; when there is none within the budget, there is no allowed one either.
func (f *Finder) fastest(q query) ([]int32, bool) {
	if q.from == q.to {
		return nil, false
	}
	if f.ways.Cost(cch.Ask{From: q.from, To: q.to, Limit: q.budget}) == routing.Infinity {
		return nil, false
	}
	if way := f.ways.Way(nil); f.allowed(q, way) {
		return way, true
	}
	way, _, ok := f.search.fastest(q)
	return way, ok
}

// allowed reports whether a way uses nothing that is to be avoided and turns back
// nowhere.
func (f *Finder) allowed(q query, way []int32) bool {
	last := q.before
	for _, r := range way {
		if slices.Contains(q.avoid, r) || (last != none && f.g.turnsBack(last, r)) {
			return false
		}
		last = r
	}
	return q.after == none || !f.g.turnsBack(last, q.after)
}

// queryFor asks for another way between the ends of a way.
func (f *Finder) queryFor(way []int32) query {
	begin, end := way[0], way[len(way)-1]
	return query{
		from: f.g.top.From[begin], to: f.g.top.To[end],
		before: first(f.into(begin)), after: first(f.outOf(end)), avoid: way, budget: unbounded,
	}
}

// cost is the time of one vehicle, and the CO2 in grams of one car, on a way.
func (f *Finder) cost(way []int32) (took time.Duration, co2 float64) {
	for _, r := range way {
		took += time.Duration(f.speeds.millis[r]) * time.Millisecond
		co2 += emission.Grams(f.g.roads[r].lengthM, f.speeds.kmh[r])
	}
	return took, co2
}

// crossesItself reports whether a way comes to a junction twice: round a block, to
// make the turn back that was refused.
func (f *Finder) crossesItself(way []int32) bool {
	ends := make([]int32, 0, len(way)+1)
	ends = append(ends, f.g.top.From[way[0]])
	for _, r := range way {
		ends = append(ends, f.g.top.To[r])
	}
	slices.Sort(ends)
	return len(slices.Compact(ends)) <= len(way)
}

// maxWay is how many roads a way has at most.
const maxWay = 8

// widened lengthens a way at both ends until traffic can leave at its beginning and
// come back at its end, along what looks like the same street.
func (f *Finder) widened(way []int32) []int32 {
	return f.widenedForward(f.widenedBack(way))
}

func (f *Finder) widenedBack(way []int32) []int32 {
	for len(way) < maxWay {
		before := first(f.into(way[0]))
		canLeave := func(r int32) bool {
			return !slices.Contains(way, r) && (before == none || !f.g.turnsBack(before, r))
		}
		if before == none || slices.Contains(way, before) || slices.ContainsFunc(f.g.top.Out(f.g.top.From[way[0]]), canLeave) {
			break
		}
		way = append([]int32{before}, way...)
	}
	return way
}

func (f *Finder) widenedForward(way []int32) []int32 {
	for len(way) < maxWay {
		last := way[len(way)-1]
		after := first(f.outOf(last))
		canJoin := func(r int32) bool {
			return !slices.Contains(way, r) && (after == none || !f.g.turnsBack(r, after))
		}
		if after == none || slices.Contains(way, after) || slices.ContainsFunc(f.g.top.In(f.g.top.To[last]), canJoin) {
			break
		}
		way = append(slices.Clone(way), after)
	}
	return way
}

// longerWays begin one junction before a way, end one after it, or both.
func (f *Finder) longerWays(way []int32) [][]int32 {
	heads := [][]int32{way}
	for _, p := range f.into(way[0]) {
		if !slices.Contains(way, p) {
			heads = append(heads, f.widenedBack(append([]int32{p}, way...)))
		}
	}
	var ways [][]int32
	for i, head := range heads {
		if i > 0 {
			ways = append(ways, head)
		}
		for _, q := range f.outOf(way[len(way)-1]) {
			if !slices.Contains(head, q) {
				ways = append(ways, f.widenedForward(append(slices.Clone(head), q)))
			}
		}
	}
	return ways
}

// into and outOf are the roads by which most traffic comes to r and goes on from it,
// likeliest first, at most two.
func (f *Finder) into(r int32) []int32 {
	return f.likeliest(f.g.top.In(f.g.top.From[r]), r, func(p int32) float64 { return f.g.straightness(p, r) })
}

func (f *Finder) outOf(r int32) []int32 {
	return f.likeliest(f.g.top.Out(f.g.top.To[r]), r, func(q int32) float64 { return f.g.straightness(r, q) })
}

// likeliest are the two roads that look most like the same street; turning back is
// not a movement.
func (f *Finder) likeliest(roads []int32, r int32, score func(int32) float64) []int32 {
	var out []int32
	for _, o := range roads {
		if o != r && !f.g.turnsBack(o, r) {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b int32) int {
		return cmp.Or(cmp.Compare(score(b), score(a)), cmp.Compare(a, b))
	})
	return out[:min(2, len(out))]
}

func first(roads []int32) int32 {
	if len(roads) == 0 {
		return none
	}
	return roads[0]
}
