package predictor

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Network is what the predictor asks of the store about roads.
type Network interface {
	Roads(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.Road, store.Cursor, error)
}

const (
	// askRoads is how many roads are asked for at once, maxNeighbours how many of those
	// beside a road are kept.
	askRoads      = 2000
	maxNeighbours = 8
	// refreshRoads is how often what is known of the roads is read again.
	refreshRoads = time.Hour
	unclassified = "unclassified"
)

// groups are the groups of roads whose forecasts are judged apart: a bounded number,
// since they are labels of metrics.
func groups() []string {
	return []string{
		string(traffic.ClassMotorway), string(traffic.ClassTrunk), string(traffic.ClassPrimary), string(traffic.ClassSecondary),
		string(traffic.ClassTertiary), string(traffic.ClassResidential), unclassified,
	}
}

// city is the roads that have ever had a reading here, numbered in the order in which
// they were heard of.
type city struct {
	shard, shards int
	network       Network // nil when there is none
	index         map[traffic.RoadID]int32
	roads         []road
	groups        []uint8
	graph         series.Graph
	// order is the roads by id.
	order     []int32
	refreshed time.Time
}

// road is what is known of one.
type road struct {
	id       traffic.RoadID
	from, to traffic.NodeID
	label    string
	lat, lng traffic.Value
}

func newCity(cfg *Config, n Network) *city {
	return &city{shard: cfg.Shard, shards: cfg.Shards, network: n, index: map[traffic.RoadID]int32{}}
}

// mine reports whether this shard forecasts a road.
func (c *city) mine(id traffic.RoadID) bool {
	if c.shards <= 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	return int(h.Sum32()%uint32(c.shards)) == c.shard
}

// number is the number of a road, which is given to it when it is new; -1 when the road
// belongs to another shard.
func (c *city) number(id traffic.RoadID) int32 {
	if n, ok := c.index[id]; ok {
		return n
	}
	n := int32(-1)
	if c.mine(id) {
		n = int32(len(c.roads))
		c.roads = append(c.roads, road{id: id})
		c.groups = append(c.groups, uint8(len(groups())-1))
	}
	c.index[id] = n
	return n
}

// settle finds out about roads that are new since it was called last, and now and then about
// all. It reports whether it did.
func (c *city) settle(ctx context.Context, now time.Time) (bool, error) {
	known := len(c.order)
	grown := len(c.roads) > known
	if !grown && now.Sub(c.refreshed) < refreshRoads {
		return false, nil
	}
	from := known
	if now.Sub(c.refreshed) >= refreshRoads {
		from = 0
	}
	if err := c.describe(ctx, from); err != nil {
		return false, err
	}
	if from == 0 {
		c.refreshed = now
	}
	c.connect()
	c.order = make([]int32, len(c.roads))
	for i := range c.order {
		c.order[i] = int32(i)
	}
	slices.SortFunc(c.order, func(a, b int32) int { return strings.Compare(string(c.roads[a].id), string(c.roads[b].id)) })
	return true, nil
}

// describe asks for the roads from a number on.
func (c *city) describe(ctx context.Context, from int) error {
	if c.network == nil {
		return nil
	}
	for part := range slices.Chunk(c.roads[from:], askRoads) {
		f := store.RoadFilter{IDs: make([]traffic.RoadID, len(part))}
		for i := range part {
			f.IDs[i] = part[i].id
		}
		got, _, err := c.network.Roads(ctx, f, store.Page{Limit: askRoads})
		if err != nil {
			return fmt.Errorf("read roads: %w", err)
		}
		for i := range got {
			c.take(&got[i])
		}
	}
	return nil
}

func (c *city) take(r *traffic.Road) {
	n, ok := c.index[r.ID]
	if !ok || n < 0 {
		return
	}
	c.roads[n] = road{id: r.ID, from: r.FromNode, to: r.ToNode, label: r.Label, lat: r.Lat, lng: r.Lng}
	if g := slices.Index(groups(), string(r.Class)); g >= 0 {
		c.groups[n] = uint8(g)
	}
}

// connect finds the roads that lead to and from each one. The other direction of a street
// is no neighbour: it is another road that happens to lie there.
func (c *city) connect() {
	begins, ends := map[traffic.NodeID][]int32{}, map[traffic.NodeID][]int32{}
	for i := range c.roads {
		if r := &c.roads[i]; r.from != "" && r.to != "" {
			begins[r.from] = append(begins[r.from], int32(i))
			ends[r.to] = append(ends[r.to], int32(i))
		}
	}
	c.graph = series.Graph{}
	if len(begins) == 0 {
		return
	}
	c.graph.Neighbours = make([][]int32, len(c.roads))
	for i := range c.roads {
		r := &c.roads[i]
		if r.from == "" || r.to == "" {
			continue
		}
		for _, o := range slices.Concat(ends[r.from], begins[r.to]) {
			opposite := c.roads[o].from == r.to && c.roads[o].to == r.from
			if int(o) != i && !opposite && !slices.Contains(c.graph.Neighbours[i], o) && len(c.graph.Neighbours[i]) < maxNeighbours {
				c.graph.Neighbours[i] = append(c.graph.Neighbours[i], o)
			}
		}
	}
}

// ids are the roads by number.
func (c *city) ids() []string {
	out := make([]string, len(c.roads))
	for i := range c.roads {
		out[i] = string(c.roads[i].id)
	}
	return out
}
