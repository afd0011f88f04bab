package synth

import (
	"math"
	"math/rand/v2"
)

// A plan is the skeleton that the rest of the city grows on. All lines have a point
// about every planStep metres.
type plan struct {
	radius    float64 // of the ring motorway, in the mean
	oldTown   float64 // radius of the inner ring, in the mean
	ring      line    // closed, counterclockwise
	boulevard line    // closed, inside the ring: where the streets end
	inner     line    // closed, around the old town
	river     line
	halfWidth float64 // of the river
	quays     []line
	radials   []radial
	bridges   []line
	districts []district
	wobble    [4]float64
}

// A radial is an arterial from the inner ring, or from across the centre, to beyond
// the ring.
type radial struct {
	line  line
	trunk bool // beyond the ring it is a dual carriageway to the next city
}

// A district was laid out by somebody at an angle.
type district struct {
	at    vec
	angle float64
	reach float64
}

const planStep = 25.0

func newPlan(rng *rand.Rand, arcs int) *plan {
	c := &plan{radius: 2200 * math.Sqrt(float64(arcs)/1000), halfWidth: 48}
	c.oldTown = min(0.36*c.radius, 850) // no larger in a larger city
	shape := ovalShape(rng)
	c.ring = closedCurve(func(a float64) float64 { return c.radius * shape(a) })
	c.boulevard = closedCurve(func(a float64) float64 { return c.radius*shape(a) - 260 })
	innerShape := ovalShape(rng)
	c.inner = closedCurve(func(a float64) float64 { return c.oldTown * innerShape(a) })
	for i := range c.wobble {
		c.wobble[i] = rng.Float64() * 2 * math.Pi
	}
	heading := rng.Float64() * 2 * math.Pi
	c.river = c.newRiver(rng, heading)
	c.layRadials(rng, heading, arcs)
	c.layQuays()
	c.layBridges(rng, arcs)
	c.layDistricts(rng, heading, arcs)
	return c
}

// ovalShape is a smooth closed shape of mean radius 1.
func ovalShape(rng *rand.Rand) func(float64) float64 {
	var amp, phase [4]float64
	for k, most := range []float64{0.09, 0.05, 0.035, 0.02} {
		amp[k], phase[k] = most*(0.4+0.6*rng.Float64()), rng.Float64()*2*math.Pi
	}
	return func(a float64) float64 {
		r := 1.0
		for k := range amp {
			r += amp[k] * math.Sin(float64(k+2)*a+phase[k])
		}
		return r
	}
}

func closedCurve(radius func(angle float64) float64) line {
	const n = 720
	raw := make(line, n+1)
	for i := range n {
		a := 2 * math.Pi * float64(i) / n
		raw[i] = polar(radius(a), a)
	}
	raw[n] = raw[0]
	return raw.resampled(planStep)
}

// newRiver comes from heading+π, passes the old town beside the centre, and leaves
// towards heading.
func (c *plan) newRiver(rng *rand.Rand, heading float64) line {
	along, across := polar(1, heading), polar(1, heading+math.Pi/2)
	reach := 1.9 * c.radius
	offset := 230 + 90*rng.Float64()
	p1, p2 := rng.Float64()*2*math.Pi, rng.Float64()*2*math.Pi
	var raw line
	for s := -reach; s <= reach; s += planStep {
		t := s / c.radius
		// Meanders grow away from the centre, so that it stays where it should.
		bend := 0.16*math.Sin(2.1*t+p1) + 0.07*math.Sin(4.7*t+p2)
		away := t * t / (t*t + 0.25)
		raw = append(raw, along.mul(s).add(across.mul(offset+c.radius*bend*away)))
	}
	return raw.resampled(planStep)
}

// layRadials spreads the arterials over both sides of the river, none along it.
func (c *plan) layRadials(rng *rand.Rand, heading float64, arcs int) {
	n := min(11, 6+arcs/700)
	for side := range 2 {
		k := (n + side) / 2
		from := heading + float64(side)*math.Pi
		for i := range k {
			gap := math.Pi / (float64(k) + 0.15)
			angle := from + gap*(float64(i)+0.57) + gap*0.22*(rng.Float64()*2-1)
			c.radials = append(c.radials, radial{line: c.radialLine(rng, angle), trunk: i == k/2})
		}
	}
}

func (c *plan) radialLine(rng *rand.Rand, angle float64) line {
	p1, p2 := rng.Float64()*2*math.Pi, rng.Float64()*2*math.Pi
	bend := 0.05 + 0.05*rng.Float64()
	start := c.innerRadius(angle) - 60
	var raw line
	for r := start; r <= 1.12*c.radius+1100; r += planStep {
		t := (r - start) / c.radius
		raw = append(raw, polar(r, angle+bend*t*math.Sin(3.1*t+p1)+0.02*math.Sin(7*t+p2)*t))
	}
	return raw.resampled(planStep)
}

// innerRadius is how far the inner ring lies from the centre in a direction.
func (c *plan) innerRadius(angle float64) float64 {
	dir := polar(1, angle)
	best, r := -1.0, 0.0
	for _, p := range c.inner {
		if d := p.unit().dot(dir); d > best {
			best, r = d, p.len()
		}
	}
	return r
}

// layQuays runs a street along both banks, as far as the city goes.
func (c *plan) layQuays() {
	for _, side := range []float64{-1, 1} {
		var quay line
		for _, p := range c.river.shifted(side * (c.halfWidth + 22)) {
			if c.inside(p, 0.99) {
				quay = append(quay, p)
			}
		}
		c.quays = append(c.quays, quay.resampled(planStep))
	}
}

// layBridges crosses the river with streets that go on for a few blocks on both
// sides: some in the old town, some beside it. The inner ring and the boulevard cross
// it anyway.
func (c *plan) layBridges(rng *rand.Rand, arcs int) {
	middle := c.riverMiddle()
	spots := []float64{-0.30 * c.oldTown, 0.34 * c.oldTown}
	for d := c.oldTown + 0.21*c.radius; d < 0.80*c.radius; d += (0.30 + 0.08*rng.Float64()) * c.radius * math.Sqrt(1000/float64(arcs)) {
		spots = append(spots, d, -d-0.05*c.radius)
	}
	for _, s := range spots {
		p, dir := c.river.at(middle + s)
		reach := c.halfWidth + 60 + 22
		n := dir.right()
		c.bridges = append(c.bridges, line{p.sub(n.mul(reach)), p.add(n.mul(reach))}.resampled(planStep))
	}
}

// riverMiddle is how far along the river it passes the centre.
func (c *plan) riverMiddle() float64 {
	best, at, d := math.Inf(1), 0.0, 0.0
	for i, p := range c.river {
		if i > 0 {
			d += p.dist(c.river[i-1])
		}
		if p.len() < best {
			best, at = p.len(), d
		}
	}
	return at
}

func (c *plan) layDistricts(rng *rand.Rand, heading float64, arcs int) {
	// The two halves of the old town are of different age.
	for side := range 2 {
		at := polar(0.45*c.oldTown, heading+math.Pi*(float64(side)+0.5))
		angle := heading + (0.2+0.5*rng.Float64())*float64(2*side-1)
		c.districts = append(c.districts, district{at, angle, 0.8 * c.oldTown})
	}
	n := 5 + arcs/400
	for i := range n {
		a := 2 * math.Pi * (float64(i) + 0.6*rng.Float64()) / float64(n)
		r := c.radius * (0.45 + 0.4*rng.Float64())
		c.districts = append(c.districts, district{polar(r, a), rng.Float64() * math.Pi / 2, 0.34 * c.radius})
	}
}

// inside reports whether p lies within share of the boulevard's distance from the
// centre in its direction.
func (c *plan) inside(p vec, share float64) bool {
	n := len(c.boulevard) - 1
	best, r := -1.0, 0.0
	// The points are evenly spread; look around where the angle says first.
	guess := int(math.Mod(math.Atan2(p.y, p.x)/(2*math.Pi)+1, 1) * float64(n))
	for k := -n / 12; k <= n/12; k++ {
		q := c.boulevard[((guess+k)%n+n)%n]
		if d := q.unit().dot(p.unit()); d > best {
			best, r = d, q.len()
		}
	}
	return p.len() < share*r
}
