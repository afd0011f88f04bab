//go:build !race

package match_test

// The race detector makes these slow and sees nothing in them: they have one goroutine.

import (
	"slices"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/match"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// The counting arcs of Paris lie on the street graph, which others drew; each lies on
// itself; and none that is turned round lies on the road that it lay on before.
func TestCountingArcsOfParis(t *testing.T) {
	arcs := load(t, "paris-referentiel/referentiel-comptages-routiers.labels-fr.csv.gz")
	sensors := match.FromNetwork(arcs)
	streets := load(t, "paris-road-graph/streets.csv.gz")
	graph := roadnet.NewIndex(streets.Roads)
	there := matchAll(t, graph, sensors)
	t.Log(there)
	if there.Matched < 3050 || there.Ambiguous > 120 || there.TooFar > 180 || there.MedianM > 5 || there.P90M > 11 {
		t.Errorf("%v: want what was found when this was written", there)
	}
	if joined := connected(streets, there); joined < 2600 {
		t.Errorf("%d arcs lie on roads that follow on each other: want 2,600", joined)
	}

	self := matchAll(t, roadnet.NewIndex(arcs.Roads), sensors)
	for _, r := range self.Results {
		if r.Outcome != match.Matched || string(r.Road) != r.Sensor || r.DistanceM > 0.01 {
			t.Errorf("an arc is not itself: %+v", r)
		}
	}

	for i := range sensors {
		sensors[i].Line = turned(sensors[i].Line)
	}
	back := matchAll(t, graph, sensors)
	for i := range back.Results {
		if r := back.Results[i]; r.Outcome != match.TooFar && r.Road == there.Results[i].Road {
			t.Errorf("turned round, it lies on the same road: %+v", r)
		}
	}
}

// connected counts the sensors whose roads follow on each other.
func connected(n *roadnet.Network, rep *match.Report) (count int) {
	for _, r := range rep.Results {
		ok := r.Outcome != match.TooFar
		for i := 1; i < len(r.Roads); i++ {
			a, _ := n.Find(r.Roads[i-1])
			b, _ := n.Find(r.Roads[i])
			ok = ok && n.Roads[a].ToNode == n.Roads[b].FromNode
		}
		if ok {
			count++
		}
	}
	return count
}

func turned(line [][]traffic.Point) (out [][]traffic.Point) {
	for _, part := range line {
		part = slices.Clone(part)
		slices.Reverse(part)
		out = append([][]traffic.Point{part}, out...)
	}
	return out
}
