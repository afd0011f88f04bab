package roadnet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Kind is what is wrong, or only unusual, about one thing in an import. Names are
// added, never changed.
type Kind string

// The kinds of issues. Of the first group the row or part is left out; the others
// are remarks, and what they are about loads.
const (
	// KindBadRow is a row or feature that cannot be used; Detail says why.
	KindBadRow Kind = "bad_row"
	// KindDuplicatePart is a second part of an arc with the same geometry.
	KindDuplicatePart Kind = "duplicate_part"
	// KindConflictingPart is a part that names other junctions than the first part
	// of its arc.
	KindConflictingPart Kind = "conflicting_part"
	// KindZeroLength is an arc whose geometry is shorter than 10 cm.
	KindZeroLength Kind = "zero_length"

	// KindDuplicate is an object whose id came before.
	KindDuplicate Kind = "duplicate"
	// KindNotForCars is a way that is no road for cars, such as a footway.
	KindNotForCars Kind = "not_for_cars"
	// KindNoAccess is a road that is closed to general motor traffic, or open only
	// to those who have business there.
	KindNoAccess Kind = "no_access"
	// KindIncomplete is a way some nodes of which are missing; the rest of it loads.
	KindIncomplete Kind = "incomplete"
	// KindBadTurn is a turn restriction that is not applied.
	KindBadTurn Kind = "bad_turn_restriction"
	// KindConditional is a rule that holds at times only: it is not applied.
	KindConditional Kind = "conditional"

	// KindBarrier is a node that no car passes: the roads end on both sides of it.
	KindBarrier Kind = "barrier"
	// KindOddTag is a tag whose value is not understood.
	KindOddTag Kind = "odd_tag"
	// KindOddSpeed is a free-flow speed that was brought into a sane range.
	KindOddSpeed Kind = "odd_speed"
	// KindTiny is a road without length between two junctions; it is kept, at 10 cm,
	// so that they stay connected.
	KindTiny Kind = "tiny"
	// KindNoCountry is that the country is unknown, and so its general speed limits.
	KindNoCountry Kind = "no_country"
	// KindUnchained is an arc whose parts do not join into one line; it keeps them
	// apart, in driving order.
	KindUnchained Kind = "unchained"
	// KindReversed is an arc that was digitised against its driving direction and
	// was turned round.
	KindReversed Kind = "reversed"
	// KindDangling is an arc that lacks a junction: it is shown, never driven.
	KindDangling Kind = "dangling"
	// KindSelfLoop is an arc that ends where it begins.
	KindSelfLoop Kind = "self_loop"
	// KindParallel is an arc with the same two junctions as an earlier one.
	KindParallel Kind = "parallel"
	// KindNoExit is a junction that roads enter and none leaves.
	KindNoExit Kind = "no_exit"
	// KindNoEntry is a junction that roads leave and none enters.
	KindNoEntry Kind = "no_entry"
	// KindIsland is a junction outside the largest connected component.
	KindIsland Kind = "island"
	// KindOutsideCore is a road outside the largest set of junctions that all
	// reach each other: no round trip can use it.
	KindOutsideCore Kind = "outside_core"
)

// Dropped reports whether things of this kind were left out; the others loaded.
func (k Kind) Dropped() bool {
	switch k {
	case KindBadRow, KindDuplicatePart, KindConflictingPart, KindZeroLength, KindDuplicate,
		KindNotForCars, KindNoAccess, KindIncomplete, KindBadTurn, KindConditional:
		return true
	default:
		return false
	}
}

// An Issue is one remark of an import. Road or Node says what it is about, where
// known.
type Issue struct {
	Kind Kind           `json:"kind"`
	Road traffic.RoadID `json:"road,omitempty"`
	Node traffic.NodeID `json:"junction,omitempty"`
	// Where is the place in the input: "file:line", "file: feature n", "way n".
	Where  string `json:"where,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// subject names what an issue is about.
func (i *Issue) subject() string {
	return cmp.Or(i.Where, string(i.Road), string(i.Node))
}

// String is the issue on one line.
func (i Issue) String() string {
	var b strings.Builder
	b.WriteString(string(i.Kind))
	if i.Road != "" {
		fmt.Fprintf(&b, " road %s", i.Road)
	}
	if i.Node != "" {
		fmt.Fprintf(&b, " junction %s", i.Node)
	}
	if i.Where != "" {
		fmt.Fprintf(&b, " (%s)", i.Where)
	}
	if i.Detail != "" {
		fmt.Fprintf(&b, ": %s", i.Detail)
	}
	return b.String()
}

// maxIssuesPerKind bounds what a hopeless file can make a report hold.
const maxIssuesPerKind = 1000

// A Report says what an import found.
type Report struct {
	// Format names what the file was recognised as.
	Format string
	// Rows counts rows or features read; a road may take several.
	Rows int
	// Roads, Nodes and LengthM describe the network that loaded; junctions count
	// when a road with two junctions names them.
	Roads, Nodes int
	LengthM      float64
	// Components holds the number of junctions of each connected component,
	// largest first.
	Components []int
	// CoreNodes and CoreRoads are the size of the largest set of junctions that
	// all reach each other, and how many roads run inside it.
	CoreNodes, CoreRoads int
	// Turns, Signals and Source describe what else was found.
	Turns, Signals int
	Source         Source
	// Issues are at most 1,000 of each kind; Count knows of all.
	Issues []Issue

	counts map[Kind]int
}

// Count is how many issues of a kind there are, kept in Issues or not.
func (r *Report) Count(k Kind) int { return r.counts[k] }

func (r *Report) add(i Issue) {
	if r.counts == nil {
		r.counts = make(map[Kind]int)
	}
	r.counts[i.Kind]++
	if r.counts[i.Kind] <= maxIssuesPerKind {
		r.Issues = append(r.Issues, i)
	}
}

// String is a summary of a few lines: the size of the network and how many issues
// of each kind there are.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d roads, %d junctions, %.1f km\n", r.Format, r.Rows, r.Roads, r.Nodes, r.LengthM/1000)
	fmt.Fprintf(&b, "%d connected components; all-to-all core: %d junctions, %d roads\n", len(r.Components), r.CoreNodes, r.CoreRoads)
	if r.Turns > 0 || r.Signals > 0 {
		fmt.Fprintf(&b, "%d forbidden turns, %d junctions with signals\n", r.Turns, r.Signals)
	}
	for _, t := range r.Tallies() {
		fmt.Fprintf(&b, "%s\n", t)
	}
	return b.String()
}

// A Tally sums up the issues of one kind.
type Tally struct {
	Kind    Kind `json:"kind"`
	Dropped bool `json:"dropped"`
	Count   int  `json:"count"`
	// First names the first few.
	First []string `json:"first"`
	// Example is the detail of the first, where it has one.
	Example string `json:"example,omitempty"`
}

// String is the tally on one line.
func (t Tally) String() string {
	s := fmt.Sprintf("%s: %d", t.Kind, t.Count)
	if len(t.First) > 0 {
		s += " (" + strings.Join(t.First, ", ")
		if t.Count > len(t.First) {
			s += ", …"
		}
		s += ")"
	}
	if t.Example != "" {
		s += ": " + t.Example
	}
	return s
}

// tallyFirst is how many issues of a kind a Tally names.
const tallyFirst = 5

// Tallies sums the issues up by kind: what was dropped first, then the remarks, each
// in the order of their names.
func (r *Report) Tallies() []Tally {
	at := make(map[Kind]int)
	var out []Tally
	for _, k := range slices.Sorted(maps.Keys(r.counts)) {
		out = append(out, Tally{Kind: k, Dropped: k.Dropped(), Count: r.counts[k]})
	}
	slices.SortStableFunc(out, func(a, b Tally) int {
		switch {
		case a.Dropped == b.Dropped:
			return 0
		case a.Dropped:
			return -1
		}
		return 1
	})
	for i := range out {
		at[out[i].Kind] = i
	}
	for i := range r.Issues {
		t := &out[at[r.Issues[i].Kind]]
		if subject := r.Issues[i].subject(); subject != "" && len(t.First) < tallyFirst {
			t.First = append(t.First, subject)
		}
		if t.Example == "" {
			t.Example = r.Issues[i].Detail
		}
	}
	return out
}

// MarshalJSON writes the report with its tallies.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Format     string  `json:"format"`
		Source     Source  `json:"source"`
		Rows       int     `json:"rows"`
		Roads      int     `json:"roads"`
		Nodes      int     `json:"junctions"`
		LengthM    float64 `json:"length_m"`
		Components []int   `json:"components"`
		CoreNodes  int     `json:"core_junctions"`
		CoreRoads  int     `json:"core_roads"`
		Turns      int     `json:"forbidden_turns"`
		Signals    int     `json:"signals"`
		Tallies    []Tally `json:"tallies"`
		Issues     []Issue `json:"issues"`
	}{
		r.Format, r.Source, r.Rows, r.Roads, r.Nodes, r.LengthM, r.Components, r.CoreNodes, r.CoreRoads,
		r.Turns, r.Signals, r.Tallies(), r.Issues,
	})
}

// inspect fills in what can be said of the finished network.
func (r *Report) inspect(n *Network) {
	t := n.Topology()
	r.Roads, r.Nodes = len(n.Roads), len(t.Nodes)
	r.Turns, r.Signals, r.Source = len(n.Forbidden), len(n.Signals), n.Source
	for i := range n.Roads {
		r.LengthM += n.Roads[i].LengthM.Or(0)
	}
	r.inspectRoads(n, t)
	r.inspectNodes(t)
	r.inspectCore(n, t)
}

func (r *Report) inspectRoads(n *Network, t *Topology) {
	first := make(map[[2]int32]int, len(t.From))
	for i := range t.From {
		ends := [2]int32{t.From[i], t.To[i]}
		other, parallel := first[ends]
		switch {
		case ends[0] < 0:
			r.add(Issue{Kind: KindDangling, Road: n.Roads[i].ID, Detail: "names fewer than two junctions"})
			continue
		case ends[0] == ends[1]:
			r.add(Issue{Kind: KindSelfLoop, Road: n.Roads[i].ID, Node: n.Roads[i].FromNode})
		case parallel:
			r.add(Issue{Kind: KindParallel, Road: n.Roads[i].ID, Detail: "same junctions as " + string(n.Roads[other].ID)})
		}
		if !parallel {
			first[ends] = i
		}
	}
}

func (r *Report) inspectNodes(t *Topology) {
	for i, id := range t.Nodes {
		switch n := int32(i); {
		case len(t.Out(n)) == 0:
			r.add(Issue{Kind: KindNoExit, Node: id})
		case len(t.In(n)) == 0:
			r.add(Issue{Kind: KindNoEntry, Node: id})
		}
	}
	of, sizes := t.Components()
	if len(sizes) == 0 {
		return
	}
	main := largest(sizes)
	for i, id := range t.Nodes {
		if of[i] != main {
			r.add(Issue{Kind: KindIsland, Node: id, Detail: fmt.Sprintf("in a component of %d junctions", sizes[of[i]])})
		}
	}
	r.Components = slices.SortedFunc(slices.Values(sizes), func(a, b int) int { return cmp.Compare(b, a) })
}

func (r *Report) inspectCore(n *Network, t *Topology) {
	of, sizes := t.StrongComponents()
	if len(sizes) == 0 {
		return
	}
	core := largest(sizes)
	r.CoreNodes = sizes[core]
	for i := range t.From {
		switch {
		case t.From[i] < 0:
		case of[t.From[i]] == core && of[t.To[i]] == core:
			r.CoreRoads++
		default:
			r.add(Issue{Kind: KindOutsideCore, Road: n.Roads[i].ID})
		}
	}
}

// largest is the index of the largest size, the first of equals.
func largest(sizes []int) int32 {
	best := 0
	for i, s := range sizes {
		if s > sizes[best] {
			best = i
		}
	}
	return int32(best)
}
