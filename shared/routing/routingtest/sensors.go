package routingtest

import (
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/routing"
)

// losLoop is a matrix of how near sensors are to each other, 0 to 1: a far one costs
// more.
func losLoop(t testing.TB) *Case {
	t.Helper()
	c := &Case{}
	for _, r := range Rows(t, "los-loop-metr-la-week1/graph_sensor_locations.csv", true) {
		c.Points = append(c.Points, onPlane(Number(t, r[2]), Number(t, r[3])))
	}
	var edges []routing.Edge
	for i, r := range Rows(t, "los-loop-metr-la-week1/los_adj.csv.gz", false) {
		for j, cell := range r {
			near := Number(t, cell)
			if near == 0 {
				continue
			}
			e := routing.Edge{From: int32(i), To: int32(j)}
			edges = append(edges, e)
			c.add(c.distance(e), 10000*(1.01-near), c.distance(e))
		}
	}
	c.Graph = must(routing.NewGraph(len(c.Points), edges))
	return c
}

// pemsBay has distances between sensors; a vehicle drives 25 m/s. Those to sensors of
// unknown position are left out, those from a sensor to itself stay.
func pemsBay(t testing.TB) *Case {
	t.Helper()
	c, index := &Case{}, make(map[string]int32)
	for _, r := range Rows(t, "pems-bay-sensor-graph/graph_sensor_locations_bay.csv", false) {
		index[r[0]] = int32(len(c.Points))
		c.Points = append(c.Points, onPlane(Number(t, r[1]), Number(t, r[2])))
	}
	var edges []routing.Edge
	for _, r := range Rows(t, "pems-bay-sensor-graph/distances_bay_2017.csv.gz", false) {
		from, ok := index[r[0]]
		to, ok2 := index[r[1]]
		if ok && ok2 {
			e := routing.Edge{From: from, To: to}
			edges = append(edges, e)
			c.add(c.distance(e), Number(t, r[2])*40, Number(t, r[2]))
		}
	}
	c.Graph = must(routing.NewGraph(len(c.Points), edges))
	return c
}

// melbourne has junctions and their neighbours, some of which are not listed and have
// no position: the case has no points.
func melbourne(t testing.TB) *Case {
	t.Helper()
	c, index := &Case{}, make(map[string]int32)
	node := func(name string) int32 {
		if _, ok := index[name]; !ok {
			index[name] = int32(len(index))
		}
		return index[name]
	}
	var edges []routing.Edge
	for _, r := range Rows(t, "melbourne-scats-2006/neighbouring_intersections.csv", true) {
		for name := range strings.SplitSeq(r[5], ";") {
			e := routing.Edge{From: node(r[0]), To: node(name)}
			edges = append(edges, e)
			c.add(0, float64(30000+e.From*100+e.To), 500)
		}
	}
	c.Graph = must(routing.NewGraph(len(index), edges))
	return c
}
