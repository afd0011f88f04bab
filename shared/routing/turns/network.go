package turns

import (
	"fmt"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
)

// A Network is a graph of turns. It never changes.
type Network struct {
	roads, back *routing.Graph
	turns       *routing.Graph
}

// New makes the graph of the turns of another: from each edge into each that begins
// where it ends, turning back included. The error says that these are too many.
func New(roads *routing.Graph) (*Network, error) {
	var turns []routing.Edge
	for a := range int32(roads.Edges()) {
		for _, b := range roads.Out(roads.To(a)) {
			turns = append(turns, routing.Edge{From: a, To: b})
		}
	}
	g, err := routing.NewGraph(roads.Edges(), turns)
	if err != nil {
		return nil, fmt.Errorf("make graph of turns: %w", err)
	}
	return &Network{roads: roads, back: roads.Reverse(), turns: g}, nil
}

// Graph is the graph whose nodes are roads and whose edges are turns.
func (n *Network) Graph() *routing.Graph { return n.turns }

// Points are the positions of its nodes, halfway along each road, for dissect.Order.
func (n *Network) Points(junctions []routing.Point) []routing.Point {
	points := make([]routing.Point, n.roads.Edges())
	for e := range points {
		a, b := junctions[n.roads.From(int32(e))], junctions[n.roads.To(int32(e))]
		points[e] = routing.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2}
	}
	return points
}

// Weights are what the edges of Graph cost: the turn, and the road that it leads into.
// turn is what the turn from one road into another costs, routing.Infinity where it is
// forbidden.
func (n *Network) Weights(roads []routing.Weight, turn func(from, into int32) routing.Weight) []routing.Weight {
	weights := make([]routing.Weight, n.turns.Edges())
	for t := range weights {
		a, b := n.turns.From(int32(t)), n.turns.To(int32(t))
		weights[t] = routing.Add(min(routing.Infinity, turn(a, b)), min(routing.Infinity, roads[b]))
	}
	return weights
}

// Route finds the best way from junction to junction: q asks about a metric of Weights,
// roads are the weights that these were made of. The answer has the roads in driving
// order; its version is that of q's metric.
func (n *Network) Route(q *cch.Query, a cch.Ask, roads []routing.Weight) cch.Answer {
	if a.From == a.To {
		return cch.Answer{Version: q.Version()}
	}
	var from, to []cch.Anchor
	for _, e := range n.roads.Out(a.From) {
		from = append(from, cch.Anchor{Node: e, Cost: min(routing.Infinity, roads[e])})
	}
	for _, e := range n.back.Out(a.To) {
		to = append(to, cch.Anchor{Node: e})
	}
	answer := cch.Answer{Cost: q.CostBetween(from, to, a.Limit), Version: q.Version()}
	first, _, ok := q.Ends()
	if !ok {
		return answer
	}
	answer.Way = append(answer.Way, first)
	for _, t := range q.Way(nil) {
		answer.Way = append(answer.Way, n.turns.To(t))
	}
	return answer
}
