package city

import (
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An Incident is a closure of a part of a road, which who looks for incidents should find.
type Incident struct {
	Road       traffic.RoadID
	Begin, End time.Time
	// Open is the share of the road's capacity that is left.
	Open float64
}

// Incidents lists the incidents of the city's local days from the one of from to that of to,
// in the order in which they were drawn. They are the same in every run with one seed.
func (c *City) Incidents(from, to time.Time) []Incident {
	var out []Incident
	y, m, d := from.In(c.cfg.Location).Date()
	for day := time.Date(y, m, d, 0, 0, 0, 0, c.cfg.Location); !day.After(to); day = day.AddDate(0, 0, 1) {
		for _, in := range c.incidentsOf(day) {
			out = append(out, Incident{Road: c.links[in.link].road.ID, Begin: in.begin, End: in.end, Open: in.open})
		}
	}
	return out
}
