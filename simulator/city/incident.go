package city

import (
	"math"
	"math/rand/v2"
	"time"
)

// An incident closes a part of a road for a while.
type incident struct {
	link       int
	begin, end time.Time
	// open is the share of the capacity that is left.
	open float64
}

// incidentsOf draws the incidents of the day that begins at midnight, the same for
// the same seed and day: most by day, half an hour long in the middle.
func (c *City) incidentsOf(midnight time.Time) []incident {
	rng := rand.New(rand.NewPCG(c.cfg.Seed, uint64(midnight.Unix())))
	n := poisson(rng, c.cfg.IncidentsPerDay*float64(len(c.links))/1000)
	out := make([]incident, 0, n)
	for range n {
		hour := 13 + 4.5*rng.NormFloat64()
		begin := midnight.Add(time.Duration(min(max(hour, 0), 23.9) * float64(time.Hour)))
		length := time.Duration(math.Exp(math.Log(30)+0.5*rng.NormFloat64()) * float64(time.Minute))
		out = append(out, incident{
			link: rng.IntN(len(c.links)), begin: begin, end: begin.Add(length), open: 0.1 + 0.4*rng.Float64(),
		})
	}
	return out
}

// applyIncidents sets what is open of each link at t. It redraws at each new day.
func (c *City) applyIncidents(t time.Time) {
	y, m, d := t.In(c.cfg.Location).Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, c.cfg.Location)
	if !midnight.Equal(c.day) {
		c.day = midnight
		c.incidents = append(c.incidentsOf(midnight.AddDate(0, 0, -1)), c.incidentsOf(midnight)...)
	}
	for _, in := range c.incidents {
		if t.Before(in.begin) {
			continue
		}
		c.flow.lane[in.link] = 1
		if t.Before(in.end) {
			c.flow.lane[in.link] = in.open
		}
	}
}

// poisson draws a count with the given mean: Knuth's product for small means, a
// rounded normal for large ones.
func poisson(rng *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	limit, k, p := math.Exp(-mean), 0, rng.Float64()
	for p > limit {
		k++
		p *= rng.Float64()
	}
	return k
}
