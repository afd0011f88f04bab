package synth

import (
	"math"
	"math/rand/v2"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A street is one line with one name, before it is cut at its crossings.
type street struct {
	line  line
	class traffic.Class
	// label is empty where the name changes along the street; see christen.
	label string
	kind  kind
	// closed says that the line ends where it begins.
	closed bool
	// radial is the index of the arterial plus one, 0 for others.
	radial int
}

// kind tells the streets of the plan from each other.
type kind int

const (
	kindTraced kind = iota
	kindArterial
	kindInner
	kindBoulevard
	kindQuay
	kindMotorway
	kindRamp
)

// traceStep is how far a street is extended at a time, in metres.
const traceStep = 20.0

// A tracer grows streets along the field.
type tracer struct {
	plan  *plan
	field *field
	rng   *rand.Rand
	// spacing scales the distance between parallel streets.
	spacing float64
	names   *names
	streets []street
	// near holds the points of all streets, by squares of nearCell.
	near map[[2]int32][]sample
}

type sample struct{ at, dir vec }

const nearCell = 120.0

func (t *tracer) cell(p vec) [2]int32 {
	return [2]int32{int32(math.Floor(p.x / nearCell)), int32(math.Floor(p.y / nearCell))}
}

func (t *tracer) keep(s street) {
	t.streets = append(t.streets, s)
	for i := 1; i < len(s.line); i++ {
		at := s.line[i-1].lerp(s.line[i], 0.5)
		c := t.cell(at)
		t.near[c] = append(t.near[c], sample{at, s.line[i].sub(s.line[i-1]).unit()})
	}
}

// separation is how far apart parallel streets are at p.
func (t *tracer) separation(p vec) float64 {
	out := min(1, p.len()/t.plan.radius)
	return t.spacing * (105 + 185*out)
}

// clear reports whether no street runs in about the same direction within dist.
func (t *tracer) clear(p, dir vec, dist float64) bool {
	c := t.cell(p)
	reach := int32(math.Ceil(dist / nearCell))
	for i := -reach; i <= reach; i++ {
		for j := -reach; j <= reach; j++ {
			for _, s := range t.near[[2]int32{c[0] + i, c[1] + j}] {
				if math.Abs(s.dir.dot(dir)) > 0.72 && s.at.dist(p) < dist {
					return false
				}
			}
		}
	}
	return true
}

// buildable reports whether a street may be at p: on land, and inside the boulevard.
func (t *tracer) buildable(p vec) bool {
	return t.field.toRiver(p) > t.plan.halfWidth+8 && t.plan.inside(p, 1.015)
}

// follow extends a street from p towards heading until it leaves the city, comes too
// near to a parallel one, or is most metres long. The result begins with p.
func (t *tracer) follow(p, heading vec, most, gap float64) line {
	out := line{p}
	for d := 0.0; d < most; d += traceStep {
		dir := t.field.along(p, heading)
		mid := t.field.along(p.add(dir.mul(traceStep/2)), dir) // a midpoint step
		if mid.dot(heading) < 0.9 {
			break
		}
		p, heading = p.add(mid.mul(traceStep)), mid
		out = append(out, p)
		if !t.buildable(p) || !t.clear(p, heading, gap*t.separation(p)) {
			break
		}
	}
	return out
}

// grow adds streets at right angles to those that exist, and to those it adds, until
// there is no room. Streets are wide times the usual separation apart.
func (t *tracer) grow(class traffic.Class, wide float64) {
	for i := 0; i < len(t.streets); i++ {
		along := t.streets[i].line
		total := along.length()
		for d := t.rng.Float64() * 80; d < total; {
			p, dir := along.at(d)
			gap := wide * t.separation(p)
			d += gap * (0.5 + 0.3*t.rng.Float64())
			across := dir.right()
			if !t.buildable(p) || !t.clear(p, across, gap*(0.85+0.3*t.rng.Float64())) {
				continue
			}
			if l := t.bothWays(p, across, wide); l.length() > 1.1*t.separation(p) {
				t.keep(t.named(l, class))
			}
		}
	}
}

// named makes a street of a class. Of the small ones, some are for their residents.
func (t *tracer) named(l line, class traffic.Class) street {
	if class == traffic.ClassTertiary && t.rng.Float64() < 0.4 {
		class = traffic.ClassResidential
	}
	return street{line: l, class: class, label: t.names.street(class)}
}

func (t *tracer) bothWays(p, across vec, wide float64) line {
	most := t.plan.radius * (0.25 + 0.9*t.rng.Float64()) * min(1, wide)
	const gap = 0.6
	back := t.follow(p, across.mul(-1), most, gap*wide).reversed()
	return append(back[:len(back)-1], t.follow(p, across, most, gap*wide)...)
}

// skeleton puts the plan's streets in.
func (t *tracer) skeleton() {
	c := t.plan
	t.keep(street{line: c.inner, class: traffic.ClassPrimary, kind: kindInner, closed: true})
	t.keep(street{line: c.boulevard, class: traffic.ClassPrimary, kind: kindBoulevard, closed: true})
	for i, r := range c.radials {
		// The arterial goes on into the old town as its main street.
		inward := t.follow(r.line[0], r.line[0].sub(r.line[1]).unit(), 700, 0.5)
		if len(inward) > 4 {
			t.keep(t.named(inward, traffic.ClassSecondary))
		}
		t.keep(street{line: r.line, class: traffic.ClassPrimary, kind: kindArterial, radial: i + 1})
	}
	for _, q := range c.quays {
		t.keep(street{line: q, class: traffic.ClassSecondary, kind: kindQuay})
	}
	for _, b := range c.bridges {
		first, last := b[0], b[len(b)-1]
		head := t.follow(first, first.sub(b[1]).unit(), 900, 0.45).reversed()
		tail := t.follow(last, last.sub(b[len(b)-2]).unit(), 900, 0.45)
		l := append(append(head[:len(head)-1], b...), tail[1:]...)
		t.keep(t.named(l, traffic.ClassSecondary))
	}
}
