package equilibrium

import (
	"context"
	"fmt"
	"math"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
)

// A Link is a directed road.
type Link struct {
	From, To int32
	// FreeTime is the time of the empty road, in any unit; times are in the same.
	FreeTime float64
	// Capacity is in vehicles, in the unit of the demand. B and Power shape the rise of
	// the time with flow: 0.15 and 4 are usual. Power is 0 or at least 1.
	Capacity, B, Power float64
}

// Time is the driving time at a flow.
func (l *Link) Time(flow float64) float64 {
	if l.B == 0 {
		return l.FreeTime
	}
	return l.FreeTime * (1 + l.B*math.Pow(flow/l.Capacity, l.Power))
}

// slope is by how much the time rises with the flow.
func (l *Link) slope(flow float64) float64 {
	if l.B == 0 || l.Power == 0 {
		return 0
	}
	return l.FreeTime * l.B * l.Power / l.Capacity * math.Pow(flow/l.Capacity, l.Power-1)
}

// total is the integral of the time from flow 0: the link's part of Beckmann's function.
func (l *Link) total(flow float64) float64 {
	if l.B == 0 {
		return l.FreeTime * flow
	}
	return l.FreeTime * (flow + l.B*l.Capacity/(l.Power+1)*math.Pow(flow/l.Capacity, l.Power+1))
}

func (l *Link) valid() bool {
	positive := func(v float64) bool { return v >= 0 && !math.IsInf(v, 1) }
	return positive(l.FreeTime) && positive(l.B) && (l.Power == 0 || l.Power >= 1) && positive(l.Power) &&
		(l.B == 0 || l.Capacity > 0 && positive(l.Capacity))
}

// A Network is links between nodes 0 to nodes-1.
type Network struct {
	links []Link
	nodes int32
	// closed are the nodes below this one, where ways begin and end but do not pass:
	// each has a second node, numbered from nodes on, for the links into it.
	closed int32
	ways   *cch.Hierarchy
}

// NewNetwork makes a network. Nodes below firstThrough, such as the zones of a model,
// are never passed through; 0 lets ways pass everywhere. The error names the first link
// that cannot be used, or is ctx's.
func NewNetwork(ctx context.Context, nodes, firstThrough int, links []Link) (*Network, error) {
	n := &Network{links: links, nodes: int32(nodes), closed: int32(min(nodes, max(0, firstThrough)))}
	edges := make([]routing.Edge, len(links))
	for i := range links {
		l := &links[i]
		if l.To < 0 || l.To >= n.nodes || l.From < 0 || l.From >= n.nodes {
			return nil, fmt.Errorf("make network: link %d leads from %d to %d: want nodes 0 to %d", i, l.From, l.To, nodes-1)
		}
		if !l.valid() {
			return nil, fmt.Errorf("make network: link %d has free time %g, capacity %g, B %g, power %g: want none negative, a capacity, and a power of 0 or at least 1",
				i, l.FreeTime, l.Capacity, l.B, l.Power)
		}
		edges[i] = routing.Edge{From: l.From, To: n.end(l.To)}
	}
	g, err := routing.NewGraph(nodes+int(n.closed), edges)
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	order, err := dissect.Order(ctx, g, nil, dissect.Options{})
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	n.ways, err = cch.New(g, order)
	return n, err
}

// end is where ways to a node end.
func (n *Network) end(node int32) int32 {
	if node < n.closed {
		return n.nodes + node
	}
	return node
}
