package synth

import "math"

// A vec is a place in metres east and north of the city's centre, or a direction.
type vec struct{ x, y float64 }

func (a vec) add(b vec) vec             { return vec{a.x + b.x, a.y + b.y} }
func (a vec) sub(b vec) vec             { return vec{a.x - b.x, a.y - b.y} }
func (a vec) mul(f float64) vec         { return vec{a.x * f, a.y * f} }
func (a vec) dot(b vec) float64         { return a.x*b.x + a.y*b.y }
func (a vec) cross(b vec) float64       { return a.x*b.y - a.y*b.x }
func (a vec) len() float64              { return math.Hypot(a.x, a.y) }
func (a vec) dist(b vec) float64        { return a.sub(b).len() }
func (a vec) right() vec                { return vec{a.y, -a.x} }
func (a vec) lerp(b vec, f float64) vec { return a.add(b.sub(a).mul(f)) }
func polar(r, angle float64) vec        { return vec{r * math.Cos(angle), r * math.Sin(angle)} }

func (a vec) unit() vec {
	if l := a.len(); l > 0 {
		return a.mul(1 / l)
	}
	return a
}

// A line is a polyline.
type line []vec

func (l line) length() float64 {
	var sum float64
	for i := 1; i < len(l); i++ {
		sum += l[i].dist(l[i-1])
	}
	return sum
}

// at is the point d metres along the line, and the direction there; d is clamped.
func (l line) at(d float64) (p, dir vec) {
	for i := 1; i < len(l); i++ {
		step := l[i].dist(l[i-1])
		dir = l[i].sub(l[i-1]).unit()
		if d <= step && step > 0 {
			return l[i-1].lerp(l[i], max(0, d)/step), dir
		}
		d -= step
	}
	return l[len(l)-1], dir
}

// between is the piece of the line from d0 to d1 metres along it.
func (l line) between(d0, d1 float64) line {
	first, _ := l.at(d0)
	piece := line{first}
	var d float64
	for i := 1; i < len(l); i++ {
		d += l[i].dist(l[i-1])
		if d > d0+0.01 && d < d1-0.01 {
			piece = append(piece, l[i])
		}
	}
	last, _ := l.at(d1)
	return append(piece, last)
}

// resampled has a point about every step metres, its ends kept.
func (l line) resampled(step float64) line {
	total := l.length()
	n := max(1, int(math.Round(total/step)))
	out := make(line, n+1)
	for i := range out {
		out[i], _ = l.at(total * float64(i) / float64(n))
	}
	out[n] = l[len(l)-1]
	return out
}

func (l line) reversed() line {
	out := make(line, len(l))
	for i, p := range l {
		out[len(l)-1-i] = p
	}
	return out
}

// shifted is the line moved d metres to its right.
func (l line) shifted(d float64) line {
	out := make(line, len(l))
	for i, p := range l {
		var before, after vec
		if i > 0 {
			before = p.sub(l[i-1]).unit()
		}
		if i+1 < len(l) {
			after = l[i+1].sub(p).unit()
		}
		n := before.add(after).unit().right()
		// In a bend the corner lies further out; not beyond twice, or a sharp
		// bend throws it away.
		stretch := 1.0
		if i > 0 && i+1 < len(l) {
			stretch = 1 / max(0.5, n.dot(after.right()))
		}
		out[i] = p.add(n.mul(d * stretch))
	}
	return out
}

// nearest is the smallest distance from p to the line's points, and the direction of
// the line there.
func (l line) nearest(p vec) (dist float64, dir vec) {
	best := 0
	dist = math.Inf(1)
	for i, q := range l {
		d := q.sub(p)
		if d2 := d.dot(d); d2 < dist {
			best, dist = i, d2
		}
	}
	i := min(best, len(l)-2)
	return math.Sqrt(dist), l[i+1].sub(l[i]).unit()
}

// simplified drops points that lie within tol metres of the line without them
// (Douglas and Peucker).
func (l line) simplified(tol float64) line {
	if len(l) < 3 {
		return l
	}
	first, last := l[0], l[len(l)-1]
	far, at := 0.0, 0
	for i := 1; i < len(l)-1; i++ {
		if d := segmentDistance(l[i], first, last); d > far {
			far, at = d, i
		}
	}
	if far <= tol {
		return line{first, last}
	}
	head := l[:at+1].simplified(tol)
	return append(head[:len(head)-1:len(head)-1], l[at:].simplified(tol)...)
}

func segmentDistance(p, a, b vec) float64 {
	ab := b.sub(a)
	f := 0.0
	if l2 := ab.dot(ab); l2 > 0 {
		f = min(1, max(0, p.sub(a).dot(ab)/l2))
	}
	return p.dist(a.add(ab.mul(f)))
}
