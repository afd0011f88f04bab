package synth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// grid is n streets each way, 100 m apart, each 40 m longer than the grid on both
// sides; all of one class, named by their direction and place.
func grid(n int, class traffic.Class) []street {
	var streets []street
	size := float64(n-1) * 100
	for i := range n {
		at := float64(i) * 100
		streets = append(streets,
			street{line: line{{-40, at}, {size + 40, at}}, class: class, label: fmt.Sprintf("E%d", i)},
			street{line: line{{at, -40}, {at, size + 40}}, class: class, label: fmt.Sprintf("N%d", i)})
	}
	return streets
}

func living(g *graph) (edges int) {
	for i := range g.edges {
		if !g.edges[i].dead {
			edges++
		}
	}
	return edges
}

func TestCutMakesJunctionsOfCrossings(t *testing.T) {
	g := cut(grid(4, traffic.ClassTertiary))
	if len(g.nodes) != 16 || living(g) != 24 {
		t.Fatalf("%d junctions, %d edges: want 16 and 24, without the stubs", len(g.nodes), living(g))
	}
	for _, e := range g.edges {
		if math.Abs(e.line.length()-100) > 1e-6 {
			t.Errorf("an edge of %g m", e.line.length())
		}
	}
}

// Three streets that nearly meet in one place make one junction, not three.
func TestNearCrossingsAreOneJunction(t *testing.T) {
	g := cut([]street{
		{line: line{{-200, 0}, {200, 0}}},
		{line: line{{-200, -190}, {200, 210}}},
		{line: line{{-10, -200}, {10, 200}}},
	})
	if len(g.nodes) != 1 {
		t.Errorf("%d junctions: want 1", len(g.nodes))
	}
}

func TestCleanTakesOutDeadEndsAndCorners(t *testing.T) {
	streets := append(grid(3, traffic.ClassTertiary),
		// A street that leaves the grid and ends, with a cross street at its end.
		street{line: line{{200, 100}, {400, 100}}, class: traffic.ClassTertiary},
		street{line: line{{350, 20}, {350, 180}}, class: traffic.ClassTertiary},
		// Two streets that touch nothing.
		street{line: line{{900, 0}, {1100, 0}}, class: traffic.ClassTertiary},
		street{line: line{{1000, -50}, {1000, 50}}, class: traffic.ClassTertiary})
	g := cut(streets)
	g.clean()
	// The four corners of the grid dissolve; the middle of each side and the centre
	// stay, with a ring of four edges and a cross of four.
	if living(g) != 8 {
		t.Errorf("%d edges: want 8", living(g))
	}
	for n := range g.nodes {
		if k := len(g.at(n)); k == 1 || k == 2 {
			t.Errorf("junction at %v has %d arms", g.nodes[n].at, k)
		}
	}
	if !g.connected() {
		t.Error("the grid came apart")
	}
}

func TestSliversGoByClass(t *testing.T) {
	streets := []street{
		{line: line{{-200, 0}, {400, 0}}, class: traffic.ClassPrimary, label: "main"},
		{line: line{{-300, -45}, {420, 75}}, class: traffic.ClassTertiary, label: "beside"},
		{line: line{{300, -100}, {300, 200}}, class: traffic.ClassTertiary, label: "across"},
	}
	g := cut(streets)
	g.dropSlivers()
	for i := range g.edges {
		if g.edges[i].dead && g.edges[i].street.label == "main" {
			t.Error("the main street went, not the one beside it")
		}
		if !g.edges[i].dead && g.edges[i].street.label == "beside" && len(g.at(g.edges[i].a)) > 1 {
			t.Error("two streets leave a junction side by side")
		}
	}
}

func TestConnectedSeesOneWays(t *testing.T) {
	g := cut(grid(2, traffic.ClassTertiary))
	for i := range g.edges {
		g.edges[i].oneWay = 1
	}
	if g.connected() {
		t.Error("a block whose streets all lead north and east is no circuit")
	}
	// Turn two of the four: a circuit.
	for i := range g.edges {
		if l := g.edges[i].street.label; l == "E1" || l == "N0" {
			g.edges[i].oneWay = -1
		}
	}
	if !g.connected() {
		t.Error("a circuit is connected")
	}
}

// Neighbouring one-way streets run in opposite directions, and everybody can still get
// everywhere.
func TestOneWaysAlternate(t *testing.T) {
	g := cut(grid(8, traffic.ClassTertiary))
	for i := range g.nodes { // around the centre
		g.nodes[i].at = g.nodes[i].at.sub(vec{350, 350})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	g.layOneWays(1e4, rng.Float64)
	if !g.connected() {
		t.Fatal("somebody is cut off")
	}
	way := make(map[string]int)
	for i := range g.edges {
		e := &g.edges[i]
		if old, ok := way[e.street.label]; ok && old != e.oneWay {
			t.Errorf("%s changes its direction", e.street.label)
		}
		way[e.street.label] = e.oneWay
	}
	var pairs, opposed int
	for i := 1; i < 8; i++ {
		for _, d := range []string{"E", "N"} {
			a, b := way[fmt.Sprint(d, i-1)], way[fmt.Sprint(d, i)]
			if a != 0 && b != 0 {
				pairs++
				if a == -b {
					opposed++
				}
			}
		}
	}
	if pairs < 8 || opposed < pairs*3/4 {
		t.Errorf("%d of %d neighbours are opposed", opposed, pairs)
	}
}

// The motorway: two carriageways, each once around, the inner one clockwise, with an
// exit and an entry at every arterial.
func TestRingMotorway(t *testing.T) {
	c := newPlan(rand.New(rand.NewPCG(2, 1)), 800)
	g := &graph{}
	for i, r := range c.radials {
		begin, end := g.newNode(r.line, 0), g.newNode(r.line, r.line.length())
		g.nodes[end].gate = i + 1
		g.addEdge(edge{a: begin, b: end, line: r.line, street: street{class: traffic.ClassPrimary, kind: kindArterial, radial: i + 1}})
	}
	g.buildRing(c, newNames(rand.New(rand.NewPCG(2, 2))))
	turns := map[string]float64{}
	length := map[string]float64{}
	var exits, entries int
	for i := range g.edges {
		e := &g.edges[i]
		switch {
		case e.dead:
		case strings.HasPrefix(e.street.label, "Sortie "):
			exits++
		case strings.HasPrefix(e.street.label, "Entrée "):
			entries++
		case e.street.kind == kindMotorway:
			if e.oneWay != 1 || e.line.length() > stationDistance+1 {
				t.Errorf("a mainline of %g m, one-way %d", e.line.length(), e.oneWay)
			}
			length[e.street.label] += e.line.length()
			for k := 1; k < len(e.line); k++ {
				a, b := e.line[k-1], e.line[k]
				turns[e.street.label] += math.Atan2(a.cross(b), a.dot(b)) / (2 * math.Pi)
			}
		}
	}
	if want := 2 * len(c.radials); exits != want || entries != want {
		t.Errorf("%d exits, %d entries: want %d each", exits, entries, want)
	}
	if in, out := turns["Rocade intérieure"], turns["Rocade extérieure"]; math.Abs(in+1) > 0.01 || math.Abs(out-1) > 0.01 {
		t.Errorf("the inner carriageway goes %.2f times around, the outer %.2f: want -1 (clockwise) and 1", in, out)
	}
	if length["Rocade intérieure"] >= length["Rocade extérieure"] {
		t.Error("the inner carriageway is the longer one")
	}
}

func TestRampsJoinSmoothly(t *testing.T) {
	c := newPlan(rand.New(rand.NewPCG(4, 1)), 800)
	g := &graph{}
	l := c.ring.shifted(carriagewayOffset)
	at, dir := l.at(1000)
	g.nodes = append(g.nodes, node{at: at.add(dir.mul(rampReach)).add(dir.right().mul(90))})
	n := nose{1000, g.newNode(l, 1000)}
	g.ramp(l, n, 0, true, "Sortie")
	ramp := g.edges[0].line
	if out := ramp[1].sub(ramp[0]).unit(); out.dot(dir) < 0.98 {
		t.Errorf("the exit leaves the motorway at %.0f°", math.Acos(out.dot(dir))*180/math.Pi)
	}
	if g.edges[0].a != n.node || g.edges[0].b != 0 || g.edges[0].oneWay != 1 {
		t.Errorf("%+v", g.edges[0])
	}
}

func TestNamesAreGivenOnce(t *testing.T) {
	n := newNames(rand.New(rand.NewPCG(1, 1)))
	seen := make(map[string]bool)
	for range 200 {
		name := n.street(traffic.ClassTertiary)
		if seen[name] || !strings.HasPrefix(name, "Rue ") {
			t.Fatalf("%q again, or no street", name)
		}
		seen[name] = true
	}
	for range 60 { // more than there are
		if name := n.street(traffic.ClassPrimary); name == "" {
			t.Fatal("a street without a name")
		}
	}
}

// The field has no direction of its own: along follows whatever heading it is given,
// within an eighth of a turn.
func TestFieldFollowsTheHeading(t *testing.T) {
	c := newPlan(rand.New(rand.NewPCG(3, 1)), 500)
	f := newField(c)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 500 {
		p := polar(c.radius*rng.Float64(), 7*rng.Float64())
		heading := polar(1, 7*rng.Float64())
		dir := f.along(p, heading)
		if math.Abs(dir.len()-1) > 1e-9 || dir.dot(heading) < math.Cos(math.Pi/4)-1e-9 {
			t.Fatalf("at %v, heading %v: %v", p, heading, dir)
		}
	}
	far, _ := c.river.nearest(vec{0, c.radius})
	if got := f.toRiver(vec{0, c.radius}); math.Abs(got-far) > 30 {
		t.Errorf("%g m to the river: want %g", got, far)
	}
}
