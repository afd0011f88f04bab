package rerouter

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// reason is one sentence for the operator, such as: "Bd Voltaire is forecast at score
// 0.82 (about 9 km/h) for 08:30, in 30 min: the detour by Rue Oberkampf takes 2.1 min
// instead of 4.4 min."
func reason(g *detour.Graph, p *traffic.Prediction, d detour.Detour, speedKMH float64, zone *time.Location) string {
	road, _ := g.Find(p.Road)
	return fmt.Sprintf("%s is forecast at score %.2f (about %.0f km/h) for %s, in %d min: the detour by %s takes %s instead of %s%s.",
		g.Label(road), p.Score, speedKMH, p.Target().In(zone).Format("15:04"), p.HorizonMin,
		streets(g, d.Path), minutes(d.PathSeconds), minutes(d.WaySeconds), along(g, d.Way, road))
}

// minutes is a time for people: "45 s" or "2.1 min".
func minutes(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return fmt.Sprintf("%.1f min", seconds/60)
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
