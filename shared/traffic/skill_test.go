package traffic_test

import (
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestSkillAddsUpShards(t *testing.T) {
	early, late := time.Unix(100, 0), time.Unix(200, 0)
	a := traffic.Skill{
		Model: "m", HorizonMin: 30, Through: late, Weight: 10, AbsErr: 1, Err: -0.5, Intervals: 10, Covered: 9,
		Persistence: traffic.Duel{Weight: 10, Own: 1, Other: 2},
	}
	b := traffic.Skill{Shard: 1, Model: "m", HorizonMin: 30, Through: early, Served: true, Weight: 30, AbsErr: 7, Err: 2.5, Intervals: 10, Covered: 5}
	a.Add(&b)
	for name, c := range map[string]struct {
		got  traffic.Value
		want float64
	}{
		"mae":         {a.MAE(), 0.2},
		"bias":        {a.Bias(), 0.05},
		"coverage":    {a.Coverage(), 0.7},
		"persistence": {a.Persistence.Skill(), 0.5},
	} {
		if v, ok := c.got.Get(); !ok || v != c.want {
			t.Errorf("%s %v, want %v", name, c.got, c.want)
		}
	}
	if !a.Through.Equal(late) || !a.Served || a.Demoted {
		t.Errorf("became %+v", a)
	}
	if a.Profile.Skill().Known() || new(traffic.Skill).MAE().Known() || new(traffic.Skill).Coverage().Known() {
		t.Error("something is known without a comparison")
	}
	if perfect := (traffic.Duel{Weight: 3}); perfect.Skill().Known() {
		t.Error("skill against a baseline without error")
	}
}
