package routingtest

import (
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/routing"
)

// Draw draws a small graph with parallel edges, loops and pieces that are not connected,
// and weights of which some are zero, equal, huge or infinite.
func Draw(t *rapid.T) (*routing.Graph, []routing.Weight) {
	nodes := rapid.IntRange(1, 14).Draw(t, "nodes")
	node := rapid.Int32Range(0, int32(nodes-1))
	edges := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) routing.Edge {
		return routing.Edge{From: node.Draw(t, "from"), To: node.Draw(t, "to")}
	}), 0, 50).Draw(t, "edges")
	weights := rapid.SliceOfN(Weight(), len(edges), len(edges)).Draw(t, "weights")
	return must(routing.NewGraph(nodes, edges)), weights
}

// Weight draws a weight.
func Weight() *rapid.Generator[routing.Weight] {
	return rapid.OneOf(
		rapid.Uint32Range(0, 5), rapid.Uint32Range(0, 100_000),
		rapid.SampledFrom([]routing.Weight{0, routing.Infinity - 1, routing.Infinity, routing.Infinity + 1, 1<<32 - 1}),
	)
}
