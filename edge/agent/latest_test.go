package agent

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Agent{board: newBoard(10)}
		if got := a.Latest(); len(got) != 0 {
			t.Fatalf("before: %v", got)
		}
		reading := func(i int, speed float64) traffic.Reading {
			return traffic.Reading{Sensor: traffic.SensorID(fmt.Sprint("s", i)), Speed: traffic.Some(speed)}
		}
		for i := range maxLatest + 50 {
			a.board.latest.note([]traffic.Reading{reading(i, 1)})
			time.Sleep(time.Second)
		}
		a.board.latest.note([]traffic.Reading{reading(100, 2), reading(60, 2), reading(60, 3)})
		got := a.Latest()
		if len(got) != maxLatest {
			t.Fatalf("%d sensors are remembered, want %d", len(got), maxLatest)
		}
		if got[0].Sensor != "s60" || got[0].Speed != traffic.Some(3) || got[0].Age != 0 || got[1].Sensor != "s100" {
			t.Errorf("the newest are %+v and %+v", got[0], got[1])
		}
		if got[2].Sensor != "s249" || got[2].Age != time.Second || got[maxLatest-1].Sensor != "s50" {
			t.Errorf("then comes %+v, last %+v", got[2], got[maxLatest-1])
		}
		many := make([]traffic.Reading, 3*maxLatest)
		for i := range many {
			many[i] = reading(1000+i, 1)
		}
		a.board.latest.note(many)
		if got := a.Latest(); len(got) != maxLatest || got[0].Sensor != "s1599" || len(a.board.latest.bySensor) != maxLatest {
			t.Errorf("after many: %d, first %s", len(got), got[0].Sensor)
		}
	})
}
