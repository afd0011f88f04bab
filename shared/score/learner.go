package score

import "github.com/2zrhun/city-flow/shared/traffic"

// MinSamples is how many speeds (or flows) of a road must be seen before what was
// learned replaces the prior: about eight hours of 5-minute readings, four days of
// hourly ones. Fewer could all lie in one rush hour.
const MinSamples = 100

// What a road can learn at least. A road that is never used or always jammed must not
// end up with a free flow that makes a jam look normal.
const (
	minFreeFlowKMH = 10
	minCapacityVPH = 60
)

// A Learner follows the free-flow speed and the capacity of one road from its own
// readings, in constant memory. The zero Learner has the prior of an unknown road.
type Learner struct {
	prior Reference
	speed quantile
	flow  quantile
}

// NewLearner returns a learner that answers with prior until it knows better.
func NewLearner(prior Reference) Learner {
	return Learner{prior: prior}
}

const (
	freeFlowQuantile = 0.85
	capacityQuantile = 0.97
)

// Observe learns from one reading. A speed of 0 is not a speed of free flow and is
// left out: many detectors send it when nobody passed.
func (l *Learner) Observe(r *traffic.Reading) {
	if v, ok := r.Speed.Get(); ok && v > 0 {
		l.speed.observe(freeFlowQuantile, v)
	}
	if q, ok := r.Flow.Get(); ok && q >= 0 {
		l.flow.observe(capacityQuantile, q)
	}
}

// Reference is what is known by now: the prior, and in its place each quantity that
// was seen at least MinSamples times.
func (l *Learner) Reference() Reference {
	ref := l.prior.orPrior(Prior(""))
	if l.speed.n >= MinSamples {
		ref.FreeFlowKMH = max(minFreeFlowKMH, l.speed.value(freeFlowQuantile))
	}
	if l.flow.n >= MinSamples {
		ref.CapacityVPH = max(minCapacityVPH, l.flow.value(capacityQuantile))
	}
	return ref
}
