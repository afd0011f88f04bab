package row

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// CompareAlerts orders by start, road and kind: the key.
func CompareAlerts(a, b *traffic.Alert) int {
	return cmp.Or(cmp.Compare(Micros(a.Start), Micros(b.Start)), strings.Compare(string(a.Road), string(b.Road)),
		strings.Compare(string(a.Kind), string(b.Kind)))
}

// Alerts cleans and sorts alerts by their key and keeps the last of those with the same
// one. It refuses numbers that are not finite.
func Alerts(as []traffic.Alert) ([]traffic.Alert, error) {
	out := slices.Clone(as)
	for i := range out {
		a := &out[i]
		a.Road, a.Kind, a.Severity = traffic.RoadID(Text(a.Road)), traffic.AlertKind(Text(a.Kind)), traffic.Severity(Text(a.Severity))
		a.Detail = Text(a.Detail)
		if !Finite(a.Observed, a.Expected) {
			return nil, fmt.Errorf("alert on road %q at %s: observed %v, expected %v: want finite numbers", a.Road, a.Start.UTC(), a.Observed, a.Expected)
		}
	}
	slices.SortStableFunc(out, func(a, b traffic.Alert) int { return CompareAlerts(&a, &b) })
	return lastOfEach(out, func(a, b *traffic.Alert) bool { return CompareAlerts(a, b) == 0 }), nil
}

// CompareSkills orders by shard, model, horizon and group: the key.
func CompareSkills(a, b *traffic.Skill) int {
	return cmp.Or(cmp.Compare(a.Shard, b.Shard), strings.Compare(a.Model, b.Model),
		cmp.Compare(a.HorizonMin, b.HorizonMin), strings.Compare(a.Group, b.Group))
}

// Skills gives rows to the shard, cleans and sorts them by their key and keeps the last
// of those with the same one. It refuses numbers that are not finite.
func Skills(shard int, ss []traffic.Skill) ([]traffic.Skill, error) {
	out := slices.Clone(ss)
	for i := range out {
		s := &out[i]
		s.Shard, s.Model, s.Group = shard, Text(s.Model), Text(s.Group)
		if !Finite(s.Weight, s.AbsErr, s.Err, s.Intervals, s.Covered, s.Persistence.Weight, s.Persistence.Own, s.Persistence.Other,
			s.Profile.Weight, s.Profile.Own, s.Profile.Other) {
			return nil, fmt.Errorf("skill of model %q at %d min: want finite numbers", s.Model, s.HorizonMin)
		}
	}
	slices.SortStableFunc(out, func(a, b traffic.Skill) int { return CompareSkills(&a, &b) })
	return lastOfEach(out, func(a, b *traffic.Skill) bool { return CompareSkills(a, b) == 0 }), nil
}
