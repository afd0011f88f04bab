package roadnet

import (
	"strings"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An osmKind is what the highway tag says about a way.
type osmKind struct {
	highway string // without _link
	class   traffic.Class
	link    bool
}

// osmKindOf is the kind of a way that cars may use, false for all others.
func osmKindOf(highway string) (osmKind, bool) {
	base, link := strings.CutSuffix(highway, "_link")
	k := osmKind{highway: base, link: link}
	switch base {
	case "motorway":
		k.class = traffic.ClassMotorway
	case "trunk":
		k.class = traffic.ClassTrunk
	case "primary":
		k.class = traffic.ClassPrimary
	case "secondary":
		k.class = traffic.ClassSecondary
	case "tertiary":
		k.class = traffic.ClassTertiary
	case "unclassified", "residential", "living_street", "service", "road":
		k.class = traffic.ClassResidential
		return k, !link
	default:
		return k, false
	}
	return k, true
}

// Directions of a way, as indexes: along its nodes and against them.
const (
	forward = iota
	backward
)

// accessKeys are the tags that open and close a way to cars, the most special first:
// where several are set, the most special one holds.
func accessKeys() []string { return []string{"motorcar", "motor_vehicle", "vehicle", "access"} }

// access is what a tag says about general motor traffic.
type access int

const (
	accessUnsaid access = iota
	accessOpen
	accessLocal  // only for those who have business there
	accessClosed // for nearly everybody
)

// accessOf reads the access tags with a suffix, such as ":forward". The value is the
// one that decided.
func accessOf(tags osm.Tags, suffix string) (a access, tag string) {
	for _, key := range accessKeys() {
		v := tags.Find(key + suffix)
		switch v {
		case "":
			continue
		case "yes", "permissive", "designated", "official", "public", "discouraged", "unknown":
			a = accessOpen
		case "destination", "customers", "delivery", "permit", "residents":
			a = accessLocal
		default: // no, private, agricultural, forestry, emergency, psv, bus, …
			a = accessClosed
		}
		return a, key + suffix + "=" + v
	}
	return accessUnsaid, ""
}

// blocks reports whether no car passes this node, and by which tag.
func blocks(tags osm.Tags) (tag string, yes bool) {
	switch a, by := accessOf(tags, ""); a {
	case accessOpen:
		return "", false
	case accessClosed, accessLocal:
		return by, true
	default:
	}
	switch barrier := tags.Find("barrier"); barrier {
	case "", "no", "gate", "lift_gate", "swing_gate", "sliding_gate", "toll_booth", "border_control", "cattle_grid",
		"entrance", "height_restrictor", "sally_port", "kerb", "arch", "rope":
		return "", false
	default: // bollard, block, cycle_barrier, jersey_barrier, chain, …
		return "barrier=" + barrier, true
	}
}

// directions says in which directions cars may drive a way; why is a remark about
// a value that is not understood.
func directions(tags osm.Tags, k osmKind) (open [2]bool, odd string) {
	open = [2]bool{true, true}
	oneway := tags.Find("oneway:motor_vehicle")
	if oneway == "" {
		oneway = tags.Find("oneway")
	}
	switch oneway {
	case "yes", "true", "1":
		open[backward] = false
	case "-1", "reverse":
		open[forward] = false
	case "no", "false", "0", "alternating":
	case "reversible":
		open = [2]bool{}
	default:
		if oneway != "" {
			odd = "oneway=" + oneway
		}
		if impliesOneway(tags, k) {
			open[backward] = false
		}
	}
	for d, suffix := range []string{":forward", ":backward"} {
		if a, _ := accessOf(tags, suffix); a == accessClosed || a == accessLocal {
			open[d] = false
		}
	}
	return open, odd
}

// impliesOneway is about a way whose tags do not say: roundabouts and motorways run
// one way. So do their ramps, which the map's own rules leave open: driving up one
// the wrong way is the worse mistake.
func impliesOneway(tags osm.Tags, k osmKind) bool {
	switch tags.Find("junction") {
	case "roundabout", "circular":
		return true
	}
	return k.highway == "motorway"
}
