package roadnet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// drawLine is a line that never comes within metres of where it was before.
func drawLine(t *rapid.T) []traffic.Point {
	n := rapid.IntRange(4, 20).Draw(t, "points")
	line := make([]traffic.Point, n)
	lat := 48.0
	for i := range line {
		lat += rapid.Float64Range(0.0001, 0.002).Draw(t, "step")
		line[i] = traffic.Point{Lat: lat, Lng: rapid.Float64Range(2, 2.01).Draw(t, "lng")}
	}
	return line
}

// split cuts a line into parts that share their ends.
func split(t *rapid.T, line []traffic.Point) [][]traffic.Point {
	var parts [][]traffic.Point
	for begin := 0; begin < len(line)-1; {
		end := rapid.IntRange(begin+1, len(line)-1).Draw(t, "cut")
		parts = append(parts, slices.Clone(line[begin:end+1]))
		begin = end
	}
	return parts
}

func TestChainPutsTogetherWhatWasCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := drawLine(t)
		parts := rapid.Permutation(split(t, line)).Draw(t, "order")
		got, ok := chain(parts)
		if !ok || !slices.Equal(got, line) {
			t.Fatalf("got %v, %v: want %v", got, ok, line)
		}
	})
}

func TestChainTurnsPartsRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := drawLine(t)
		parts := split(t, line)
		for i := range parts {
			if rapid.Bool().Draw(t, "turn") {
				slices.Reverse(parts[i])
			}
		}
		got, ok := chain(rapid.Permutation(parts).Draw(t, "order"))
		if !ok || (!slices.Equal(got, line) && !slices.Equal(got, reversed(line))) {
			t.Fatalf("got %v, %v: want %v either way round", got, ok, line)
		}
	})
}

func TestChainRefusesAGap(t *testing.T) {
	a := []traffic.Point{{Lat: 48, Lng: 2}, {Lat: 48.001, Lng: 2}}
	b := []traffic.Point{{Lat: 48.00102, Lng: 2}, {Lat: 48.002, Lng: 2}} // 2.2 m on
	if line, ok := chain([][]traffic.Point{a, b}); ok {
		t.Errorf("joined over a gap of 2 m: %v", line)
	}
	b[0].Lat = 48.001005 // 0.6 m on
	if _, ok := chain([][]traffic.Point{a, b}); !ok {
		t.Error("refused a gap of half a metre")
	}
}

func TestNearestOrderDoesNotDependOnTheGivenOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var lines [][]traffic.Point
		for range rapid.IntRange(2, 6).Draw(t, "lines") {
			lines = append(lines, drawLine(t))
		}
		a := nearestOrder(lines)
		b := nearestOrder(rapid.Permutation(lines).Draw(t, "order"))
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%v and %v", a, b)
		}
		if len(a) != len(lines) {
			t.Fatalf("%d lines of %d", len(a), len(lines))
		}
	})
}

// A grid of streets in both directions, its ends blurred as in the reference; some
// arcs are drawn against their driving direction. Where the blur is small against the
// streets, each of them is found and no other.
func TestOrientFindsWhatWasReversed(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		arcs, want := blurredGrid(rng)
		var rep Report
		orient(arcs, &rep)
		got := make(map[traffic.RoadID]bool)
		for _, i := range rep.Issues {
			got[i.Road] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("seed %d: turned %v, want %v", seed, got, want)
		}
		for _, a := range arcs {
			if first, _ := a.ends(); DistanceM(first, gridPoint(string(a.from))) > 40 {
				t.Errorf("seed %d: %s does not begin at junction %s", seed, a.id, a.from)
			}
		}
	}
}

// gridPoint is where junction "x,y" lies: 200 m apart.
func gridPoint(id string) traffic.Point {
	var x, y int
	_, _ = fmt.Sscanf(id, "%d,%d", &x, &y)
	return traffic.Point{Lat: 48 + float64(y)*0.0018, Lng: 2 + float64(x)*0.0027}
}

func blurredGrid(rng *rand.Rand) (arcs []*arc, reversed map[traffic.RoadID]bool) {
	blur := func(p traffic.Point) traffic.Point {
		return traffic.Point{Lat: p.Lat + (rng.Float64()-0.5)*0.0003, Lng: p.Lng + (rng.Float64()-0.5)*0.0003}
	}
	reversed = make(map[traffic.RoadID]bool)
	const n = 6
	for x := range n {
		for y := range n {
			for _, d := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				if x+d[0] < 0 || x+d[0] >= n || y+d[1] < 0 || y+d[1] >= n {
					continue
				}
				from, to := fmt.Sprintf("%d,%d", x, y), fmt.Sprintf("%d,%d", x+d[0], y+d[1])
				a := &arc{id: ParisRoad(len(arcs)), from: traffic.NodeID(from), to: traffic.NodeID(to)}
				a.lines = [][]traffic.Point{{blur(gridPoint(from)), blur(gridPoint(to))}}
				if rng.IntN(25) == 0 {
					a.reverse()
					reversed[a.id] = true
				}
				arcs = append(arcs, a)
			}
		}
	}
	return arcs, reversed
}

func TestMidpointIsHalfwayOnTheLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := drawLine(t)
		mid := midpoint([][]traffic.Point{line})
		total := LengthM([][]traffic.Point{line})
		var along float64
		near := math.Inf(1)
		for i := 1; i < len(line); i++ {
			d := DistanceM(line[i-1], line[i])
			detour := DistanceM(line[i-1], mid) + DistanceM(mid, line[i]) - d
			if detour < near && math.Abs(along+DistanceM(line[i-1], mid)-total/2) < 0.1 {
				near = detour
			}
			along += d
		}
		if near > 0.1 {
			t.Fatalf("%v is not halfway on %v: off by %g m", mid, line, near)
		}
	})
}

func TestMidpointOfParts(t *testing.T) {
	p := func(lat float64) traffic.Point { return traffic.Point{Lat: lat, Lng: 2} }
	parts := [][]traffic.Point{{p(48), p(48.001)}, {p(49), p(49.003)}}
	if got := midpoint(parts); math.Abs(got.Lat-49.001) > 1e-6 {
		t.Errorf("midpoint at %g: want 49.001, gaps do not count", got.Lat)
	}
	same := [][]traffic.Point{{p(48), p(48)}}
	if got := midpoint(same); got != p(48) {
		t.Errorf("midpoint of a point: %v", got)
	}
}

func TestMedianPointIgnoresTheOneFarOff(t *testing.T) {
	at := func(lat, lng float64) traffic.Point { return traffic.Point{Lat: lat, Lng: lng} }
	if got := medianPoint([]traffic.Point{at(48, 2), at(48.1, 2.1), at(60, 9)}); got != at(48.1, 2.1) {
		t.Errorf("got %v", got)
	}
	if got := medianPoint([]traffic.Point{at(48, 2), at(48.1, 2.1)}); got != at(48.05, 2.05) {
		t.Errorf("of two: %v", got)
	}
}

func TestReportIsBounded(t *testing.T) {
	var r Report
	for range 3 * maxIssuesPerKind {
		r.add(Issue{Kind: KindBadRow})
	}
	r.add(Issue{Kind: KindIsland, Node: "7", Detail: "far"})
	if r.Count(KindBadRow) != 3*maxIssuesPerKind || len(r.Issues) != maxIssuesPerKind+1 {
		t.Errorf("counted %d, kept %d", r.Count(KindBadRow), len(r.Issues))
	}
	if got := r.Issues[maxIssuesPerKind].String(); got != "island junction 7: far" {
		t.Errorf("got %q", got)
	}
}

func TestKindsOfRoadByLabel(t *testing.T) {
	rules := parisRules()
	for label, want := range map[string]parisKind{
		"PE_Quai_Issy": ringKind(), "PI_Auteuil": ringKind(), "A6B_W": motorwayKind(), "A1_Y": motorwayKind(),
		"A1_bretelle_8": rampKind(), "SE_Quai_d'Ivry_bretelle_3": rampKind(), "AI_Pantin": rampKind(), "Ech_Vincennes_2": rampKind(),
		"Rampe_Tuileries": rampKind(), "VGP_Rampe_sortie_Lamballe": rampKind(), "Acces_VGP_Van_Loo": rampKind(),
		"VGP": expressKind(), "V.E.R.G": expressKind(), "Quai_de_Bercy_Haut_Y": expressKind(), "RN14": expressKind(), "N_2": expressKind(),
		"Bd Berthier": mainAxisKind(), "Quai_de_Valmy": mainAxisKind(), "Cours_La_Reine": mainAxisKind(), "Sout._Van_Gogh_vers_Diderot": mainAxisKind(),
		"Av_Foch": avenueKind(), "AV_Friedland": avenueKind(), "Pt_Neuf": avenueKind(), "Rond_Pt_Pte_Plaine": avenueKind(),
		"Avron": streetKind(), "Ptolemee": streetKind(), "Rivoli": streetKind(), "Sevres": streetKind(), "Aisne": streetKind(), "": streetKind(),
	} {
		if got := kindOf(rules, label); got != want {
			t.Errorf("%q: got %+v, want %+v", label, got, want)
		}
	}
}
