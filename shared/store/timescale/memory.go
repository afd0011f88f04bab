package timescale

import (
	"maps"
	"math"
	"sync"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// maxRemembered bounds the roads and the pairs that a process remembers.
	maxRemembered = 200_000
	// waryBatches is for how many deliveries after a duplicate the readings of its
	// edge are looked up before they are written.
	waryBatches = 16
)

// memory is what a process need not ask the database again. Only what is committed
// gets in, and only what stays true or is guarded by the revision of the roads.
type memory struct {
	mu sync.Mutex // guards everything declared below
	// revision is the one at which roads was read.
	revision int64
	roads    map[string]knownRoad
	// pairs of road and sensor exist for ever, and so does the block of a road.
	pairs  map[pair]struct{}
	blocks map[string]int32
	// wary counts down the deliveries for which an edge's duplicates are expected.
	wary map[string]int
}

type pair struct{ road, sensor string }

// knownRoad is a row of roads. Its newest state is not older than latest, the lowest
// number when nothing is known of it.
type knownRoad struct {
	label    string
	lat, lng traffic.Value
	latest   int64
}

func newMemory() *memory {
	return &memory{roads: map[string]knownRoad{}, pairs: map[pair]struct{}{}, blocks: map[string]int32{}, wary: map[string]int{}}
}

// recall fills in what is known of roads at a revision and returns those of which
// nothing is.
func (m *memory) recall(revision int64, roads []*roadNews) (missing []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.revision != revision {
		clear(m.roads)
		m.revision = revision
	}
	for _, n := range roads {
		if n.known, n.exists = m.roads[n.id]; !n.exists {
			n.known.latest = math.MinInt64
			missing = append(missing, n.id)
		}
	}
	return missing
}

// blocksOf returns the blocks of the roads of which that is known, and the others.
func (m *memory) blocksOf(roads []*roadNews) (of map[string]int32, others []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of = make(map[string]int32, len(roads))
	for _, n := range roads {
		if block, ok := m.blocks[n.id]; ok {
			of[n.id] = block
		} else {
			others = append(others, n.id)
		}
	}
	return of, others
}

// newPairs returns the pairs that are not known to exist.
func (m *memory) newPairs(offers []row.Offer) map[pair]struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[pair]struct{}{}
	var last pair
	for i := range offers {
		p := pair{offers[i].Road, offers[i].Sensor}
		if p == last {
			continue
		}
		last = p
		if _, ok := m.pairs[p]; !ok {
			out[p] = struct{}{}
		}
	}
	return out
}

// keep takes over what a transaction has committed. It read the roads at a
// revision, and made the next one if it changed them.
func (m *memory) keep(revision int64, c *roadChanges) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pairs) > maxRemembered {
		clear(m.pairs)
	}
	maps.Copy(m.pairs, c.pairs)
	if len(m.blocks) > maxRemembered {
		clear(m.blocks)
	}
	maps.Copy(m.blocks, c.blocks.of)
	if len(m.roads) > maxRemembered {
		clear(m.roads)
	}
	if m.revision != revision {
		return // others have been faster: what is known here may be old
	}
	if len(c.changed) > 0 {
		m.revision++
	}
	for _, n := range c.all {
		if old, ok := m.roads[n.id]; ok {
			n.known.latest = max(n.known.latest, old.latest)
		}
		m.roads[n.id] = n.known
	}
}

// suspects returns whether duplicates are expected, by edge.
func (m *memory) suspects(offers []row.Offer) map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]bool{}
	for i := range offers {
		if edge := offers[i].Edge; m.wary[edge] > 0 {
			out[edge] = true
		}
	}
	return out
}

// learn notes which edges sent duplicates.
func (m *memory) learn(offers []row.Offer, duplicate func(i int) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := map[string]bool{}
	for i := range offers {
		edge := offers[i].Edge
		had[edge] = had[edge] || duplicate(i)
	}
	for edge, dup := range had {
		switch {
		case dup:
			m.wary[edge] = waryBatches
		case m.wary[edge] > 1:
			m.wary[edge]--
		default:
			delete(m.wary, edge)
		}
	}
}
