package roadnet

import (
	"math"
	"slices"
	"strconv"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// osmNodes are the nodes of all ways that were kept, in columns sorted by id: 18 bytes
// a node, so that memory follows the roads of an extract and not its buildings.
type osmNodes struct {
	ids      []int64
	uses     []uint8 // how often ways use it: 1, or 2 for more
	lat, lng []int32 // 1e-7 degree
	flags    []uint8
}

// The flags of a node.
const (
	nodeKnown  = 1 << iota // the extract holds it
	nodeBlocks             // cars don't pass
	nodeSignal             // has traffic signals
)

// newOSMNodes takes the nodes of the ways; the ends of ways count twice.
func newOSMNodes(ways []osmWay) *osmNodes {
	total := 0
	for i := range ways {
		total += len(ways[i].refs) + 2
	}
	all := make([]int64, 0, total)
	for i := range ways {
		refs := ways[i].refs
		all = append(all, refs...)
		all = append(all, refs[0], refs[len(refs)-1])
	}
	slices.Sort(all)
	n := &osmNodes{}
	for i, id := range all {
		if i > 0 && id == all[i-1] {
			n.uses[len(n.uses)-1] = 2
			continue
		}
		n.ids = append(n.ids, id)
		n.uses = append(n.uses, 1)
	}
	n.lat, n.lng = make([]int32, len(n.ids)), make([]int32, len(n.ids))
	n.flags = make([]uint8, len(n.ids))
	return n
}

func (n *osmNodes) find(id int64) (int, bool) { return slices.BinarySearch(n.ids, id) }

// set takes over a node of the file where a way needs it; the first of one id counts.
// It returns the tag by which cars are kept out.
func (n *osmNodes) set(node *osm.Node) (blockedBy string) {
	i, ok := n.find(int64(node.ID))
	p := traffic.Point{Lat: node.Lat, Lng: node.Lon}
	if !ok || n.flags[i]&nodeKnown != 0 || !validPoint(p) {
		return ""
	}
	n.lat[i], n.lng[i] = int32(math.Round(p.Lat*coordUnit)), int32(math.Round(p.Lng*coordUnit))
	n.flags[i] |= nodeKnown
	if len(node.Tags) == 0 {
		return ""
	}
	if node.Tags.Find("highway") == "traffic_signals" || node.Tags.Find("crossing") == "traffic_signals" {
		n.flags[i] |= nodeSignal
	}
	by, yes := blocks(node.Tags)
	if yes {
		n.flags[i] |= nodeBlocks
	}
	return by
}

func (n *osmNodes) point(i int) traffic.Point { return degrees(int64(n.lat[i]), int64(n.lng[i])) }

// junction reports whether roads begin and end at a node.
func (n *osmNodes) junction(i int) bool { return n.uses[i] > 1 || n.flags[i]&nodeBlocks != 0 }

// osmNode is the junction's id of an OpenStreetMap node.
func osmNode(id int64) traffic.NodeID { return traffic.NodeID("OSM-" + strconv.FormatInt(id, 10)) }

// OSMRoad is the road id of a piece of an OpenStreetMap way, counted from 0 along the
// way, driven along its nodes or against them.
func OSMRoad(way int64, piece int, back bool) traffic.RoadID {
	id := "OSM-" + strconv.FormatInt(way, 10) + "-" + strconv.Itoa(piece)
	if back {
		id += "R"
	}
	return traffic.RoadID(id)
}
