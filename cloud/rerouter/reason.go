package rerouter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/cloud/rerouter/internal/herding"
)

// reason is what the operator reads, such as: "Bd Voltaire is forecast at score 0.82
// (about 9 km/h) for 08:30, in 30 min: the detour by Rue Oberkampf takes 126.4 s instead
// of 264.0 s, and once 30 % of the drivers (240 an hour) take it, 131.0 s instead of
// 201.3 s. CO2 of a car: 183.7 g instead of 204.5 g."
func (m *moment) reason(c *candidate, e herding.Effect) string {
	g, p := m.r.state.graph, c.forecast
	return fmt.Sprintf("%s is forecast at score %.2f (about %.0f km/h) for %s, in %d min: the detour by %s takes %.1f s instead of %.1f s%s, "+
		"and once %.0f %% of the drivers (%.0f an hour) take it, %.1f s instead of %.1f s. CO2 of a car: %.1f g instead of %.1f g.",
		g.Label(c.road), p.Score, m.kmh[c.road], p.Target().In(m.r.cfg.Zone).Format("15:04"), p.HorizonMin,
		streets(g, c.Path), c.PathTime.Seconds(), c.WayTime.Seconds(), along(g, c.Way, c.road),
		100*e.Share, e.Share*c.movableVPH, e.PathSeconds, e.WaySeconds, c.PathCO2, c.WayCO2)
}

// streets names the streets of a way, the first three of many.
func streets(g *detour.Graph, way []int32) string {
	var names []string
	for _, r := range way {
		if l := g.Label(r); len(names) == 0 || names[len(names)-1] != l {
			names = append(names, l)
		}
	}
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%s and %d more streets", strings.Join(names[:3], ", "), n-3)
	}
}

// along says what else the avoided way consists of, where it is more than the
// congested road.
func along(g *detour.Graph, way []int32, road int32) string {
	i := slices.Index(way, road)
	var parts []string
	if i > 0 {
		parts = append(parts, "from the beginning of "+g.Label(way[0]))
	}
	if i < len(way)-1 {
		parts = append(parts, "to the end of "+g.Label(way[len(way)-1]))
	}
	if len(parts) == 0 {
		return ""
	}
	return " " + strings.Join(parts, " ")
}
