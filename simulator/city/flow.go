package city

// flowState is how many vehicles are where.
type flowState struct {
	links []link
	n     []float64 // vehicles on each link
	queue []float64 // vehicles that wait to enter a link, off the road
	// lane is the share of a link's capacity that incidents leave open.
	lane []float64
	// of the last step, in vehicles:
	out []float64

	send, take, want, in []float64
}

func newFlow(links []link) *flowState {
	f := &flowState{links: links}
	for _, s := range []*[]float64{&f.n, &f.queue, &f.lane, &f.out, &f.send, &f.take, &f.want, &f.in} {
		*s = make([]float64, len(links))
	}
	for i := range f.lane {
		f.lane[i] = 1
	}
	return f
}

// maxQueue bounds the vehicles that wait off the road for one link: who waits longer
// than about two minutes of its capacity drives another day.
const maxQueue = 120

// step moves the vehicles on by one Step; inside and gates are shares of the peak.
func (f *flowState) step(inside, gates float64) {
	dt := Step.Seconds()
	f.potentials(dt)
	f.wants()
	clear(f.in)
	for i := range f.links {
		f.out[i] = f.release(i)
	}
	for i := range f.links {
		l := &f.links[i]
		f.queue[i] = min(f.queue[i]+(inside*l.origin+gates*l.gate)*dt, l.capacity*maxQueue)
		enter := min(f.queue[i], max(0, f.take[i]-f.in[i]))
		f.queue[i] -= enter
		f.n[i] = max(0, f.n[i]+f.in[i]+enter-f.out[i])
	}
}

// potentials computes what each link can send and take in one step.
func (f *flowState) potentials(dt float64) {
	for i := range f.links {
		l := &f.links[i]
		most := l.outlet * f.lane[i] * dt
		f.send[i] = min(f.n[i]*l.free*dt/l.length, most)
		f.take[i] = max(0, min(l.capacity*dt, (l.jam-f.n[i])*l.wave*dt/l.length))
	}
}

// wants adds up what the links upstream would send into each link.
func (f *flowState) wants() {
	clear(f.want)
	for i := range f.links {
		through := f.send[i] * (1 - f.links[i].exit)
		for _, t := range f.links[i].turns {
			f.want[t.to] += through * t.share
		}
	}
}

// fifo is how much a blocked movement holds up the others of its link: half, between
// one lane for all (1) and one for each (0).
const fifo = 0.5

// release moves what link i may let out to its successors and returns how much left it.
func (f *flowState) release(i int) float64 {
	l := &f.links[i]
	left := f.send[i] * l.exit
	through := f.send[i] - left
	worst := 1.0
	for _, t := range l.turns {
		worst = min(worst, f.admitted(t.to))
	}
	for _, t := range l.turns {
		moved := through * t.share * (fifo*worst + (1-fifo)*f.admitted(t.to))
		f.in[t.to] += moved
		left += moved
	}
	return left
}

// admitted is the share of those who want into link j that fit.
func (f *flowState) admitted(j int) float64 {
	if f.want[j] <= f.take[j] {
		return 1
	}
	return f.take[j] / f.want[j]
}

// speed is the mean speed on link i in m/s by the fundamental diagram. Below the
// critical density drivers already slow down a little, which the triangle leaves out.
func (f *flowState) speed(i int) float64 {
	l := &f.links[i]
	load := f.n[i] / l.critical
	if load <= 1 && f.lane[i] == 1 {
		return l.free * (1 - 0.12*load)
	}
	if f.n[i] <= 0 {
		return l.free
	}
	return min(l.free, max(0.6, f.out[i]/Step.Seconds()*l.length/f.n[i]))
}
