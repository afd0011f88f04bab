package roadnet

import (
	"regexp"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A parisKind is what the label of an arc tells about its road. The reference holds
// neither class nor lanes nor limits, so these are assumptions, used until the road's
// own readings say better (score.Learner):
//
//   - Free flow is the speed limit of Paris since 2021-08-30 (30 km/h, with 50 km/h on
//     main axes) and 2024-10-01 (50 km/h on the
//     boulevard périphérique). Boulevards and quays count as main axes, other streets
//     do not. Ramps are taken at 40, the motorway stubs at the gates at 70.
//   - Capacity is lanes times 1,900 vehicles per hour and lane, the base saturation
//     flow of the Highway Capacity Manual (6th ed., chapter 19), times the share of
//     green where there are signals: 0.45 on main axes, 0.40 elsewhere. Lanes are the
//     usual number of the kind.
type parisKind struct {
	class                    traffic.Class
	freeFlowKMH, capacityVPH float64
}

const lanePerHour = 1900.0

// The assumptions about each kind of road: class, free flow, capacity.
func motorwayKind() parisKind { return parisKind{traffic.ClassMotorway, 70, 2 * lanePerHour} }
func ringKind() parisKind     { return parisKind{traffic.ClassTrunk, 50, 3 * lanePerHour} }
func expressKind() parisKind  { return parisKind{traffic.ClassTrunk, 50, 2 * lanePerHour} }
func rampKind() parisKind     { return parisKind{traffic.ClassSecondary, 40, 0.8 * lanePerHour} }
func mainAxisKind() parisKind { return parisKind{traffic.ClassPrimary, 50, 2 * 0.45 * lanePerHour} }
func avenueKind() parisKind   { return parisKind{traffic.ClassSecondary, 30, 2 * 0.40 * lanePerHour} }
func streetKind() parisKind   { return parisKind{traffic.ClassTertiary, 30, 0.40 * lanePerHour} }

// A parisRule gives the roads whose label matches a kind.
type parisRule struct {
	label *regexp.Regexp
	kind  parisKind
}

// parisRules are tried in order. They read the operator's naming: PE and PI are the
// outer and inner carriageway of the périphérique; AE, AI, SE and SI the entries to
// and exits from them; W and Y the two directions of motorways and river expressways;
// VGP (Voie Georges-Pompidou), VERG and VBRG the expressways on the banks of the
// Seine; "bretelle", "rampe" and "échangeur" parts of interchanges.
func parisRules() []parisRule {
	return []parisRule{
		{regexp.MustCompile(`\bbretelle\b|\brampe\b|\bech\b|^(ae|ai|se|si|acces|sortie)\b`), rampKind()},
		{regexp.MustCompile(`^(pe|pi|bp)\b|\bperiph`), ringKind()},
		{regexp.MustCompile(`^a\d+[ab]?( [wy])?$`), motorwayKind()},
		{regexp.MustCompile(`\bvgp\b|\bv\.?e\.?r\.?g\b|\bvbrg\b|^voie mazas|^rn ?\d|^n \d|^quai .*\b[wy]$`), expressKind()},
		{regexp.MustCompile(`^(bd|boulevard|quai|cours|sout|souterrain)\b`), mainAxisKind()},
		{regexp.MustCompile(`^(av|avenue|pt|pont|pl|place|pte|porte|rd point|rond p(oin)?t|rte|route)\b`), avenueKind()},
	}
}

// kindOf is the kind of the first rule that matches the raw label, else a street.
func kindOf(rules []parisRule, label string) parisKind {
	l := strings.ToLower(cleanLabel(label))
	for _, r := range rules {
		if r.label.MatchString(l) {
			return r.kind
		}
	}
	return streetKind()
}
