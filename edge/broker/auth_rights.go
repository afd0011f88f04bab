package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A Role is what a client may publish and subscribe to.
type Role string

// The roles. NAME is the name that the client logged in with.
const (
	// RoleSensor publishes to cityflow/traffic/NAME and traffic/data.
	RoleSensor Role = "sensor"
	// RoleSign subscribes to cityflow/score/#.
	RoleSign Role = "sign"
	// RoleGateway publishes for any sensor, and does what a sign does.
	RoleGateway Role = "gateway"
	// RoleEdge publishes and subscribes below cityflow/edge/NAME/.
	RoleEdge Role = "edge"
	// RoleCollector subscribes to what edges send, and answers them.
	RoleCollector Role = "collector"
	// RoleAll may do everything.
	RoleAll Role = "all"
)

// Roles are all roles.
func Roles() []Role {
	return []Role{RoleSensor, RoleSign, RoleGateway, RoleEdge, RoleCollector, RoleAll}
}

func (r Role) check(setting string) error {
	if !slices.Contains(Roles(), r) {
		return fmt.Errorf("%s: %q is not allowed: want one of %v", setting, string(r), Roles())
	}
	return nil
}

// rights are the filters that a client may publish and subscribe to.
type rights struct {
	all                bool
	publish, subscribe []string
}

const (
	scoreFilter = "cityflow/score/#"
	ackFilter   = "cityflow/edge/+/ack"
	confFilter  = "cityflow/edge/+/config"
)

// rights of a client with this role and name, and more that it was given by name.
func (r Role) rights(name string, publish, subscribe []string) *rights {
	own := &rights{publish: slices.Clone(publish), subscribe: slices.Clone(subscribe)}
	switch r {
	case RoleSensor:
		own.publish = append(own.publish, wire.SensorTopic(traffic.SensorID(name)), wire.SensorTopicAlt)
	case RoleSign:
		own.subscribe = append(own.subscribe, scoreFilter)
	case RoleGateway:
		own.publish = append(own.publish, wire.SensorFilter, wire.SensorTopicAlt)
		own.subscribe = append(own.subscribe, scoreFilter)
	case RoleEdge:
		below := strings.TrimSuffix(wire.BatchTopic(traffic.EdgeID(name)), "batch") + "#"
		own.publish, own.subscribe = append(own.publish, below), append(own.subscribe, below)
	case RoleCollector:
		own.publish = append(own.publish, ackFilter, confFilter)
		own.subscribe = append(own.subscribe, wire.BatchFilter, wire.StatusFilter)
	case RoleAll:
		own.all = true
	}
	return own
}

// mayPublish reports whether a message may go out on a topic.
func (r *rights) mayPublish(topic string) bool {
	return r.all || slices.Contains(r.publish, topic) || anyCovers(r.publish, topic)
}

// maySubscribe reports whether a filter, or one topic, may be heard.
func (r *rights) maySubscribe(filter string) bool {
	if r.all {
		return true
	}
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		_, filter, _ = strings.Cut(rest, "/")
	}
	return anyCovers(r.subscribe, filter)
}

func anyCovers(allowed []string, wanted string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool { return covers(a, wanted) })
}

// covers reports whether everything that a filter, or a topic, matches is matched by the
// allowed filter, too.
func covers(allowed, wanted string) bool {
	if wanted == "" || wanted[0] == '$' {
		return false // the broker's own topics are nobody's
	}
	for {
		a, restA, moreA := strings.Cut(allowed, "/")
		w, restW, moreW := strings.Cut(wanted, "/")
		switch {
		case a == "#":
			return true
		case w == "#" || (a != "+" && a != w):
			return false
		case !moreW:
			return !moreA || restA == "#"
		case !moreA:
			return false
		}
		allowed, wanted = restA, restW
	}
}
