package roadnet

import (
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// limits are a country's general speed limits for cars in km/h.
type limits struct{ urban, rural, trunk, motorway, living float64 }

// limitsOf are the limits of a country by its ISO 3166-1 code, with false the usual
// ones of Europe. (OpenStreetMap wiki, "Default speed limits", as of 2025; trunk is a
// road with separated carriageways outside towns. Germany has no limit on motorways;
// 130 is the recommended speed.)
func limitsOf(country string) (limits, bool) {
	switch country {
	case "FR", "MC":
		return limits{50, 80, 110, 130, 20}, true
	case "AD":
		return limits{50, 90, 90, 120, 20}, true
	case "AT":
		return limits{50, 100, 100, 130, 7}, true
	case "BE":
		return limits{50, 70, 120, 120, 20}, true
	case "CH":
		return limits{50, 80, 100, 120, 20}, true
	case "CZ":
		return limits{50, 90, 110, 130, 20}, true
	case "DE":
		return limits{50, 100, 100, 130, 7}, true
	case "DK":
		return limits{50, 80, 80, 130, 15}, true
	case "ES":
		return limits{50, 90, 90, 120, 20}, true
	case "GB":
		return limits{30 * kmPerMile, 60 * kmPerMile, 70 * kmPerMile, 70 * kmPerMile, 20 * kmPerMile}, true
	case "IE":
		return limits{50, 80, 100, 120, 30}, true
	case "IT":
		return limits{50, 90, 110, 130, 20}, true
	case "LU":
		return limits{50, 90, 90, 130, 20}, true
	case "NL":
		return limits{50, 80, 100, 100, 15}, true
	case "PL":
		return limits{50, 90, 120, 140, 20}, true
	case "PT":
		return limits{50, 90, 100, 120, 20}, true
	case "US":
		return limits{25 * kmPerMile, 55 * kmPerMile, 65 * kmPerMile, 65 * kmPerMile, 15 * kmPerMile}, true
	}
	return limits{50, 90, 110, 130, 20}, false
}

const (
	kmPerMile = 1.609344
	kmPerKnot = 1.852
	walkKMH   = 7
	// serviceKMH is how fast driveways and car parks are driven, whatever is allowed.
	serviceKMH = 20
	// sideStreetKMH is how fast a side street without a limit of its own is driven.
	sideStreetKMH = 30
	maxLimitKMH   = 160
)

// An osmLimit is a speed limit as tagged: a number, the name of a zone, or nothing.
type osmLimit struct {
	kmh  float64 // 0: none said, +Inf: no limit
	zone string  // "urban", "rural", "trunk", "motorway", "living_street"
	// country is the code before a zone.
	country string
}

// parseLimit reads the value of a maxspeed tag; ok is false when it says nothing that
// is understood. Of several values the lowest holds.
func parseLimit(value string) (l osmLimit, ok bool) {
	for v := range strings.SplitSeq(value, ";") {
		one, good := parseOneLimit(strings.TrimSpace(v))
		if good && (!ok || one.kmh < l.kmh) {
			l, ok = one, true
		}
	}
	return l, ok
}

func parseOneLimit(v string) (l osmLimit, ok bool) {
	switch v {
	case "none", "no", "unlimited":
		return osmLimit{kmh: math.Inf(1)}, true
	case "walk", "walking":
		return osmLimit{kmh: walkKMH}, true
	case "signals", "variable": // there is one, but it changes
		return osmLimit{}, true
	}
	if country, zone, found := strings.Cut(v, ":"); found && len(country) == 2 && country == strings.ToUpper(country) {
		return parseZone(country, zone)
	}
	number, unit := splitUnit(v)
	kmh, err := strconv.ParseFloat(number, 64)
	if err != nil || !(kmh > 0) {
		return l, false
	}
	switch unit {
	case "", "km/h", "kmh", "kph":
	case "mph":
		kmh *= kmPerMile
	case "knots":
		kmh *= kmPerKnot
	default:
		return l, false
	}
	return osmLimit{kmh: kmh}, kmh <= 2*maxLimitKMH
}

// splitUnit parts "30 mph" and "30mph".
func splitUnit(v string) (number, unit string) {
	i := strings.LastIndexAny(v, "0123456789.")
	return v[:i+1], strings.ToLower(strings.TrimSpace(v[i+1:]))
}

// parseZone reads what follows the country: "urban", "zone:30", "zone30", "30".
func parseZone(country, zone string) (osmLimit, bool) {
	l := osmLimit{country: country}
	name, number, _ := strings.Cut(zone, ":")
	name = strings.TrimPrefix(name, "nsl_") // "national speed limit applies"
	switch name {
	case "urban", "rural", "trunk", "motorway", "living_street":
		l.zone = name
	case "walk":
		l.kmh = walkKMH
		return l, true
	case "single":
		l.zone = "rural"
	case "dual":
		l.zone = "trunk"
	case "zone":
	default:
		number = strings.TrimPrefix(name, "zone")
	}
	if kmh, err := strconv.ParseFloat(number, 64); err == nil && kmh > 0 && kmh <= maxLimitKMH {
		l.kmh = kmh
	}
	return l, l.zone != "" || l.kmh > 0
}

// limitTags reads the limits of both directions. odd is a value that was not
// understood.
func limitTags(tags osm.Tags) (by [2]osmLimit, odd string) {
	zone := osmLimit{}
	for _, key := range []string{"maxspeed:type", "source:maxspeed", "zone:maxspeed", "zone:traffic"} {
		if l, ok := parseLimit(tags.Find(key)); ok && (l.zone != "" || l.country != "") {
			zone = l
			break
		}
	}
	for d, suffix := range []string{":forward", ":backward"} {
		value := tags.Find("maxspeed" + suffix)
		if value == "" {
			value = tags.Find("maxspeed")
		}
		l, ok := parseLimit(value)
		switch {
		case !ok && value != "":
			odd = "maxspeed=" + value
			by[d] = zone
		case !ok || l.kmh == 0 && l.zone == "":
			by[d] = zone
		default:
			by[d] = l
		}
	}
	return by, odd
}

// freeFlow is the speed in km/h at which a way of this kind is driven when it is empty:
// the limit where one is known, else what is usual for its kind.
func freeFlow(k osmKind, l osmLimit, country string) float64 {
	if l.country != "" {
		country = l.country
	}
	general, _ := limitsOf(country)
	kmh := l.kmh
	switch {
	case kmh == 0 && l.zone != "":
		kmh = general.of(l.zone)
	case kmh == 0:
		kmh = usual(k, general)
	}
	if kmh > maxLimitKMH { // no limit
		kmh = general.motorway
	}
	switch k.highway {
	case "service":
		kmh = min(kmh, serviceKMH)
	case "living_street":
		kmh = min(kmh, max(general.living, walkKMH))
	}
	return math.Round(kmh)
}

func (l limits) of(zone string) float64 {
	switch zone {
	case "rural":
		return l.rural
	case "trunk":
		return l.trunk
	case "motorway":
		return l.motorway
	case "living_street":
		return l.living
	default:
		return l.urban
	}
}

// usual is the free flow of a way without any word about its limit. An extract of a
// city is taken for a city: only motorways and trunk roads count as outside.
func usual(k osmKind, general limits) float64 {
	switch k.highway {
	case "motorway":
		if k.link {
			return min(60, general.motorway)
		}
		return general.motorway
	case "trunk":
		if k.link {
			return general.urban
		}
		return general.rural
	case "primary", "secondary", "tertiary":
		return general.urban
	case "living_street":
		return general.living
	default:
		return min(general.urban, sideStreetKMH)
	}
}

// laneTags reads how many lanes each direction has; 0 where the tags do not say.
func laneTags(tags osm.Tags, open [2]bool) (lanes [2]float64) {
	count := func(key string) float64 {
		n, err := strconv.ParseFloat(tags.Find(key), 64)
		if err != nil || !(n >= 1 && n <= 12) {
			return 0
		}
		return n
	}
	all := count("lanes")
	if open[forward] && open[backward] {
		all = max(all/2, min(all, 1))
	}
	for d, key := range []string{"lanes:forward", "lanes:backward"} {
		if lanes[d] = count(key); lanes[d] == 0 {
			lanes[d] = all
		}
	}
	return lanes
}

// capacity is in vehicles per hour over the lanes of one direction: lanes times the
// base saturation flow, times the share of green where there are signals (the same
// assumptions as parisKind).
func capacity(k osmKind, lanes float64, oneWay bool) float64 {
	if lanes == 0 {
		lanes = usualLanes(k, oneWay)
	}
	perLane := lanePerHour
	switch {
	case k.class == traffic.ClassMotorway, k.class == traffic.ClassTrunk:
		if k.link {
			perLane *= 0.8
		}
	case k.class == traffic.ClassPrimary, k.class == traffic.ClassSecondary:
		perLane *= 0.45
	case k.class == traffic.ClassTertiary:
		perLane *= 0.40
	case k.highway == "service", k.highway == "living_street":
		perLane *= 0.15
	default:
		perLane *= 0.30
	}
	return math.Round(lanes * perLane)
}

// usualLanes of one direction.
func usualLanes(k osmKind, oneWay bool) float64 {
	switch {
	case k.link, !oneWay:
		return 1
	case k.class == traffic.ClassMotorway, k.class == traffic.ClassTrunk, k.class == traffic.ClassPrimary:
		return 2
	}
	return 1
}
