package rerouter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// decisions is the advice of a cycle after what the operator said about it before.
type decisions struct {
	// given is the cycle's advice.
	given []traffic.Reroute
	// superseded is what the operator approved in an earlier cycle: what still holds
	// is given again, and the rest is over.
	superseded []traffic.Reroute
}

// inForce is what drivers may be told of.
func (d *decisions) inForce() []traffic.Reroute {
	return slices.DeleteFunc(slices.Clone(d.given), func(r traffic.Reroute) bool { return r.Status == traffic.RerouteRejected })
}

// decided keeps an operator's decision about a detour as long as it is advised cycle
// after cycle: a piece that was approved or rejected is given again as such.
func (r *Rerouter) decided(ctx context.Context, at time.Time, given []traffic.Reroute) (decisions, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	q := store.RerouteQuery{
		Statuses: []traffic.RerouteStatus{traffic.RerouteApproved, traffic.RerouteActive, traffic.RerouteRejected},
		From:     at.Add(-r.cfg.KeepDecision), To: at.Add(time.Microsecond),
	}
	before, err := all(func(p store.Page) ([]traffic.Reroute, store.Cursor, error) {
		q.Page = p
		return r.store.Reroutes(ctx, q)
	})
	if err != nil {
		return decisions{}, fmt.Errorf("read decisions: %w", err)
	}
	d := decisions{given: given}
	type detour struct{ route, alt traffic.RoadID }
	newest := make(map[detour]traffic.RerouteStatus)
	for _, old := range before { // newest first
		key := detour{old.Route, old.Alt}
		if _, later := newest[key]; !later {
			newest[key] = old.Status
		}
		if old.At.Before(at) && old.Status != traffic.RerouteRejected {
			old.Status = traffic.RerouteExpired
			d.superseded = append(d.superseded, old)
		}
	}
	for i := range d.given {
		if status, ok := newest[detour{given[i].Route, given[i].Alt}]; ok {
			d.given[i].Status = status
		}
	}
	return d, nil
}
