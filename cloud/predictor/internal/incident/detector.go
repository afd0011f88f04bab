package incident

import (
	"slices"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// minExcess is how far above its forecast a score must be, minScore how high.
	minExcess = 0.15
	minScore  = 0.35
	// stretch is how many half widths of the interval it must be above the forecast, and
	// minWidth the least half width.
	stretch  = 1.5
	minWidth = 0.06
	// raiseSteps is how long a road must be out when a neighbour is, too, aloneSteps when
	// those that measure are calm. Where none does, it must be out three times within about
	// an hour, which makes this heat: a single loop comes and goes.
	raiseSteps = 2
	aloneSteps = 4
	lonelyHeat = 2.1
	// cooling is what one calm step takes away of the times a road was out.
	cooling = 0.1
	// calmSteps is how long all roads must be calm for the end, silentSteps how long
	// a road may say nothing before it counts as calm.
	calmSteps   = 3
	silentSteps = 12
	// maxSteps ends an incident that has become the usual state.
	maxSteps = 12 * 24
	// generalShare of at least generalRoads being out says that the forecast is wrong.
	generalShare = 0.25
	generalRoads = 20
)

// An Incident is one that was found. Steps are numbered since 1970.
type Incident struct {
	// Road is where it was worst when it was raised.
	Road int32
	// Start is the first step out of the interval, End the first calm one, 0 while it
	// goes on, Updated the last one that was looked at.
	Start, End, Updated int64
	// Roads are all that it has touched, in the order in which it did.
	Roads []int32
	// Observed and Expected are the scores at the worst moment.
	Observed, Expected float32
	// Severity never becomes milder.
	Severity traffic.Severity
	// changed says that the caller has not seen this yet.
	changed bool
}

// road is what is remembered of a road.
type road struct {
	// out is for how many steps on end the road has been out, since the step since.
	out   uint16
	since int64
	// heat is how often it was out lately, since the step first.
	heat  float32
	first int64
	// normal is the forecast when it went out, peak the highest score since.
	normal, peak float32
	// calm and silent count steps.
	calm, silent uint16
	in           *Incident
}

// A Detector looks for incidents.
type Detector struct {
	neighbours func(road int) []int32
	roads      []road
	open       []*Incident
}

// New makes a detector; neighbours are the roads up- and downstream of a road.
func New(neighbours func(road int) []int32) *Detector { return &Detector{neighbours: neighbours} }

// SetNeighbours replaces the network.
func (d *Detector) SetNeighbours(of func(road int) []int32) { d.neighbours = of }

// Adopt goes on with an incident from before a restart.
func (d *Detector) Adopt(in Incident) {
	d.grow(int(slices.Max(in.Roads)) + 1)
	d.open = append(d.open, &in)
	for _, r := range in.Roads {
		d.roads[r] = road{since: in.Start, normal: in.Expected, peak: in.Observed, in: &in}
	}
}

func (d *Detector) grow(n int) {
	if n > len(d.roads) {
		d.roads = append(d.roads, make([]road, n-len(d.roads))...)
	}
}

// Step looks at what was measured in a step, by road, NaN where nothing was, beside what
// had been forecast for it. It returns the incidents that are new, changed or ended.
func (d *Detector) Step(step int64, measured []float32, forecast func(road int) (evaluate.Forecast, bool)) []Incident {
	d.grow(len(measured))
	reporting, out := 0, 0
	for i, v := range measured {
		r := &d.roads[i]
		if !(v >= 0) {
			r.silent++
			continue
		}
		r.silent = 0
		reporting++
		if f, ok := forecast(i); ok {
			r.judge(step, v, f)
		}
		r.follow(v)
		if r.out > 0 {
			out++
		}
	}
	if reporting < generalRoads || float64(out) < generalShare*float64(reporting) {
		d.raise(step, measured)
	}
	return d.report(step)
}

// judge notes whether a score is out of its interval.
func (r *road) judge(step int64, v float32, f evaluate.Forecast) {
	width := max(minWidth, f.Upper-f.Mean)
	if v < minScore || v-f.Mean < minExcess || v-f.Mean < stretch*width {
		r.out, r.heat = 0, max(0, r.heat-cooling)
		return
	}
	if r.heat == 0 {
		r.first = step
	}
	if r.out == 0 && r.in == nil {
		r.since, r.normal, r.peak = step, f.Mean, v
	}
	r.out++
	r.heat++
}

// follow keeps the peak and counts calm steps.
func (r *road) follow(v float32) {
	r.peak = max(r.peak, v)
	if v <= r.normal+(r.peak-r.normal)/2 {
		r.calm++
		return
	}
	r.calm = 0
}

// raise makes incidents of roads that are out for long enough, or adds them to that of a
// neighbour.
func (d *Detector) raise(step int64, measured []float32) {
	for i := range measured {
		r := &d.roads[i]
		if r.in != nil || r.out == 0 || r.out < raiseSteps && r.heat < lonelyHeat {
			continue
		}
		heard, others := false, []int32(nil)
		var near *Incident
		for _, n := range d.neighbours(i) {
			o := &d.roads[n]
			heard = heard || o.silent == 0
			if o.in != nil {
				near = o.in
			}
			if o.out > 0 && o.in == nil {
				others = append(others, n)
			}
		}
		switch {
		case near != nil && r.out >= raiseSteps:
			d.join(near, int32(i))
		case len(others) > 0 && r.out >= raiseSteps, r.out >= aloneSteps:
			d.begin(step, append(others, int32(i)))
		case !heard && r.heat >= lonelyHeat:
			r.since = r.first
			d.begin(step, []int32{int32(i)})
		}
	}
}

// begin makes an incident of roads.
func (d *Detector) begin(step int64, roads []int32) {
	in := &Incident{Start: step, changed: true}
	worst := float32(-1)
	for _, i := range roads {
		r := &d.roads[i]
		if excess := r.peak - r.normal; excess > worst {
			worst, in.Road = excess, i
		}
		in.Start = min(in.Start, r.since)
	}
	d.open = append(d.open, in)
	for _, i := range roads {
		d.join(in, i)
	}
}

func (d *Detector) join(in *Incident, i int32) {
	d.roads[i].in, d.roads[i].calm = in, 0
	if !slices.Contains(in.Roads, i) {
		in.Roads = append(in.Roads, i)
		in.changed = true
	}
}

// report brings incidents up to date, ends those that are over, and returns what changed.
func (d *Detector) report(step int64) []Incident {
	var news []Incident
	for _, in := range d.open {
		in.Updated = step
		d.weigh(in)
		if over := d.over(in); over || step-in.Start >= maxSteps {
			in.End, in.changed = step, true
			if over {
				in.End = max(in.Start+1, step-calmSteps+1)
			}
			for _, i := range in.Roads {
				d.roads[i].in, d.roads[i].out, d.roads[i].heat = nil, 0, 0
			}
		}
		if in.changed {
			in.changed = false
			copied := *in
			copied.Roads = slices.Clone(in.Roads)
			news = append(news, copied)
		}
	}
	d.open = slices.DeleteFunc(d.open, func(in *Incident) bool { return in.End != 0 })
	return news
}

func (d *Detector) over(in *Incident) bool {
	for _, i := range in.Roads {
		if r := &d.roads[i]; r.calm < calmSteps && r.silent < silentSteps {
			return false
		}
	}
	return true
}

// weigh finds the worst road and the severity.
func (d *Detector) weigh(in *Incident) {
	for _, i := range in.Roads {
		if r := &d.roads[i]; r.peak-r.normal > in.Observed-in.Expected {
			in.Observed, in.Expected = r.peak, r.normal
		}
	}
	severity := traffic.SeverityMinor
	switch excess := in.Observed - in.Expected; {
	case excess >= 0.5 || excess >= 0.35 && len(in.Roads) >= 4:
		severity = traffic.SeveritySevere
	case excess >= 0.3 || len(in.Roads) >= 4:
		severity = traffic.SeverityMajor
	}
	if rank(severity) > rank(in.Severity) {
		in.Severity, in.changed = severity, true
	}
}

func rank(s traffic.Severity) int {
	return slices.Index([]traffic.Severity{traffic.SeverityMinor, traffic.SeverityMajor, traffic.SeveritySevere}, s)
}
