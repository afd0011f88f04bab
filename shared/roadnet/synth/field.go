package synth

import "math"

// A field gives the direction of streets everywhere. Directions a quarter turn apart
// are the same, so they are added as unit vectors of four times their angle. It is
// computed on a grid once and interpolated.
type field struct {
	cell   float64
	half   int // cells from the middle to the border
	values []vec
	river  []float64 // metres to the middle of the river
}

func newField(c *plan) *field {
	f := &field{cell: c.radius / 55}
	f.half = int(1.45*c.radius/f.cell) + 2
	side := 2*f.half + 1
	f.values, f.river = make([]vec, side*side), make([]float64, side*side)
	for j := range side {
		for i := range side {
			p := vec{float64(i-f.half) * f.cell, float64(j-f.half) * f.cell}
			f.values[j*side+i] = c.direction(p)
			f.river[j*side+i], _ = c.river.nearest(p)
		}
	}
	return f
}

// direction blends what bends streets at p.
func (c *plan) direction(p vec) vec {
	var sum vec
	pull := func(angle, weight, dist, reach float64) {
		w := weight * math.Exp(-dist*dist/(reach*reach))
		sum = sum.add(polar(w, 4*angle))
	}
	along := func(l line, weight, reach float64) {
		d, dir := l.nearest(p)
		pull(math.Atan2(dir.y, dir.x), weight, d, reach)
	}
	around := math.Atan2(p.y, p.x)
	outside := 1 - math.Exp(-math.Pow(p.len()/(1.1*c.oldTown), 4))
	pull(around, 0.8*outside, p.len(), 0.55*c.radius)
	pull(around, 0.1*outside, 0, 1)
	along(c.river, 1.4, 300)
	along(c.boulevard, 1.2, 350)
	along(c.inner, 1.2, 130)
	for _, r := range c.radials {
		along(r.line, 1.0, 240)
	}
	for _, d := range c.districts {
		pull(d.angle, 1.2, p.dist(d.at), d.reach)
	}
	// What was never planned.
	k := 2 * math.Pi / 1500
	noise := math.Sin(k*p.x+c.wobble[0])*math.Sin(k*p.y+c.wobble[1]) + 0.6*math.Sin(2.3*k*p.x+c.wobble[2])*math.Sin(2.3*k*p.y+c.wobble[3])
	turn := 4 * 0.13 * noise
	return vec{sum.x*math.Cos(turn) - sum.y*math.Sin(turn), sum.x*math.Sin(turn) + sum.y*math.Cos(turn)}
}

// cellOf finds the grid cell of p: the index of its corner, and the place in it.
func (f *field) cellOf(p vec) (at, side int, fx, fy float64) {
	x, y := p.x/f.cell+float64(f.half), p.y/f.cell+float64(f.half)
	side = 2*f.half + 1
	i, j := min(max(int(x), 0), side-2), min(max(int(y), 0), side-2)
	return j*side + i, side, min(max(x-float64(i), 0), 1), min(max(y-float64(j), 0), 1)
}

// along is the direction of the field at p that is nearest to heading.
func (f *field) along(p, heading vec) vec {
	at, side, fx, fy := f.cellOf(p)
	low := f.values[at].lerp(f.values[at+1], fx)
	high := f.values[at+side].lerp(f.values[at+side+1], fx)
	v := low.lerp(high, fy)
	dir := polar(1, math.Atan2(v.y, v.x)/4)
	best := dir
	for range 3 {
		dir = vec{-dir.y, dir.x}
		if dir.dot(heading) > best.dot(heading) {
			best = dir
		}
	}
	return best
}

// toRiver is about how far p is from the middle of the river.
func (f *field) toRiver(p vec) float64 {
	at, side, fx, fy := f.cellOf(p)
	low := f.river[at]*(1-fx) + f.river[at+1]*fx
	high := f.river[at+side]*(1-fx) + f.river[at+side+1]*fx
	return low*(1-fy) + high*fy
}
