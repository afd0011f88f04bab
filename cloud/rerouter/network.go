package rerouter

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// pageSize is how many rows are read at a time.
const pageSize = 5000

// state is what the rerouter keeps between cycles.
type state struct {
	seed        maphash.Seed
	fingerprint uint64
	graph       *detour.Graph
	// refs are the references of the graph's roads.
	refs []score.Reference
	// advised is the advice that was stored last, for the cycle advisedAt.
	advised   []traffic.Reroute
	advisedAt time.Time
	// held is the advice in force, by the road that it avoids.
	held map[traffic.RoadID]held
}

var errNoNetwork = errors.New("no road in the store has junctions and a length: import a network")

func (s *state) lacksNetwork() error {
	if s.graph == nil || s.graph.Roads() == 0 {
		return errNoNetwork
	}
	return nil
}

// loadNetwork reads the roads and makes a new graph when they changed in what
// matters here.
func (r *Rerouter) loadNetwork(ctx context.Context) error {
	roads, err := r.readRoads(ctx)
	if err != nil {
		return fmt.Errorf("read roads: %w", err)
	}
	s := &r.state
	if s.graph == nil {
		s.seed = maphash.MakeSeed()
	}
	if f := fingerprint(s.seed, roads); s.graph == nil || f != s.fingerprint {
		graph, err := detour.NewGraph(ctx, roads)
		if err != nil {
			return err
		}
		s.fingerprint, s.graph, s.held = f, graph, nil // held roads had other numbers
		s.refs = references(s.graph, roads)
		r.metrics.roads.Set(float64(s.graph.Roads()))
		r.metrics.junctions.Set(float64(s.graph.Junctions()))
		r.log.Info("network loaded", "roads", len(roads), "drivable", s.graph.Roads(), "junctions", s.graph.Junctions())
	}
	return nil
}

func (r *Rerouter) readRoads(ctx context.Context) ([]traffic.Road, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	return all(func(p store.Page) ([]traffic.Road, store.Cursor, error) {
		return r.store.Roads(ctx, store.RoadFilter{}, p)
	})
}

// all reads a list to its end.
func all[T any](part func(store.Page) ([]T, store.Cursor, error)) ([]T, error) {
	var items []T
	page := store.Page{Limit: pageSize}
	for {
		more, next, err := part(page)
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
		if next == "" {
			return items, nil
		}
		page.After = next
	}
}

// fingerprint changes when the network does.
func fingerprint(seed maphash.Seed, roads []traffic.Road) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	text := func(s string) {
		h.WriteString(s)
		h.WriteByte(0)
	}
	number := func(v float64) { maphash.WriteComparable(&h, math.Float64bits(v)) }
	for i := range roads {
		r := &roads[i]
		text(string(r.ID))
		text(r.Label)
		text(string(r.Class))
		text(string(r.FromNode))
		text(string(r.ToNode))
		number(r.LengthM.Or(-1))
		number(r.FreeFlowKMH.Or(-1))
		number(r.CapacityVPH.Or(-1))
		for _, part := range r.Geometry {
			for _, p := range part {
				number(p.Lat)
				number(p.Lng)
			}
		}
	}
	return h.Sum64()
}

// references are each road's own free flow and capacity, or its class's.
func references(g *detour.Graph, roads []traffic.Road) []score.Reference {
	refs := make([]score.Reference, g.Roads())
	for i := range roads {
		n, ok := g.Find(roads[i].ID)
		if !ok {
			continue
		}
		refs[n] = score.Prior(roads[i].Class)
		if v := roads[i].FreeFlowKMH.Or(0); v > 0 {
			refs[n].FreeFlowKMH = v
		}
		if q := roads[i].CapacityVPH.Or(0); q > 0 {
			refs[n].CapacityVPH = q
		}
	}
	return refs
}
