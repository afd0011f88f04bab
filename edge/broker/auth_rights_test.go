package broker

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRights(t *testing.T) {
	for _, c := range []struct {
		role             Role
		publish          []string // allowed
		subscribe        []string // allowed
		notPublish       []string
		notSubscribe     []string
		moreOut, moreSub []string
	}{
		{
			role: RoleSensor, publish: []string{"cityflow/traffic/me", "traffic/data"},
			notPublish:   []string{"cityflow/traffic/other", "cityflow/traffic/me/x", "cityflow/score/me", "", "cityflow/traffic", "traffic/data2"},
			notSubscribe: []string{"cityflow/score/#", "cityflow/traffic/me", "#", "$SYS/#", "$share/g/#"},
		},
		{
			role: RoleSensor, moreOut: []string{"cityflow/traffic/loop-+", "site/+/x"}, moreSub: []string{"cityflow/score/R1"},
			publish: []string{"cityflow/traffic/me", "site/1/x"}, subscribe: []string{"cityflow/score/R1", "$share/g/cityflow/score/R1"},
			notPublish: []string{"cityflow/traffic/loop-7", "site/1/y", "site/1/x/z"}, notSubscribe: []string{"cityflow/score/+", "cityflow/score/#"},
		},
		{
			role: RoleSign, subscribe: []string{"cityflow/score/#", "cityflow/score/R1", "cityflow/score/+", "cityflow/score"},
			notSubscribe: []string{"cityflow/#", "#", "+/score/R1", "cityflow/traffic/x", "$SYS/#", "$SYS/broker/clients/total"},
			notPublish:   []string{"cityflow/score/R1", "cityflow/traffic/me"},
		},
		{
			role: RoleGateway, publish: []string{"cityflow/traffic/any", "traffic/data"}, subscribe: []string{"cityflow/score/#"},
			notPublish: []string{"cityflow/traffic/a/b", "cityflow/edge/me/batch"}, notSubscribe: []string{"cityflow/edge/#", "cityflow/traffic/+"},
		},
		{
			role: RoleEdge, publish: []string{"cityflow/edge/me/batch", "cityflow/edge/me/status"}, subscribe: []string{"cityflow/edge/me/ack", "cityflow/edge/me/#"},
			notPublish:   []string{"cityflow/edge/other/batch", "cityflow/edge/me2/batch", "cityflow/traffic/x"},
			notSubscribe: []string{"cityflow/edge/+/ack", "cityflow/edge/#", "cityflow/edge/other/ack", "$share/g/cityflow/edge/+/batch"},
		},
		{
			role: RoleCollector, publish: []string{"cityflow/edge/any/ack", "cityflow/edge/any/config"},
			subscribe:  []string{"$share/collector/cityflow/edge/+/batch", "cityflow/edge/+/status", "cityflow/edge/one/batch"},
			notPublish: []string{"cityflow/edge/any/batch"}, notSubscribe: []string{"$share/collector/cityflow/edge/#", "cityflow/score/#"},
		},
		{role: RoleAll, publish: []string{"anything"}, subscribe: []string{"#", "$SYS/#"}},
	} {
		r := c.role.rights("me", c.moreOut, c.moreSub)
		for want, topics := range map[bool][]string{true: c.publish, false: c.notPublish} {
			for _, topic := range topics {
				if r.mayPublish(topic) != want {
					t.Errorf("%s publishes on %q: want %v", c.role, topic, want)
				}
			}
		}
		for want, filters := range map[bool][]string{true: c.subscribe, false: c.notSubscribe} {
			for _, filter := range filters {
				if r.maySubscribe(filter) != want {
					t.Errorf("%s subscribes to %q: want %v", c.role, filter, want)
				}
			}
		}
	}
}

// A name cannot widen what its role allows.
func TestNamesAreNoWildcards(t *testing.T) {
	for _, name := range []string{"+", "#", "a/#"} {
		if RoleEdge.rights(name, nil, nil).maySubscribe("cityflow/edge/other/ack") || RoleSensor.rights(name, nil, nil).mayPublish("cityflow/traffic/other") {
			t.Errorf("%q is more than a name", name)
		}
	}
}

// matches is MQTT's rule for one topic, written otherwise.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(t) || (level != "+" && level != t[i]) {
			return i == len(t) && level == "#"
		}
	}
	return len(f) == len(t)
}

// What a covered filter matches is matched by the filter that covers it.
func TestCovers(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", "+"})
	filter := rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(level, 1, 4).Draw(t, "levels")
		if rapid.Bool().Draw(t, "multi") {
			levels = append(levels, "#")
		}
		return strings.Join(levels, "/")
	})
	topic := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 5).Draw(t, "topic"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		allowed, wanted, name := filter.Draw(t, "allowed"), filter.Draw(t, "wanted"), topic.Draw(t, "name")
		if covers(allowed, wanted) && matches(wanted, name) && !matches(allowed, name) {
			t.Fatalf("%q covers %q, but does not match %q", allowed, wanted, name)
		}
		if matches(allowed, name) && !covers(allowed, name) {
			t.Fatalf("%q matches %q, but does not cover it", allowed, name)
		}
	})
}
