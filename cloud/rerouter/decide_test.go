package rerouter

import (
	"testing"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// decide is what an operator does with the only piece of advice.
func (tn *town) decide(status traffic.RerouteStatus) {
	tn.t.Helper()
	rs := tn.advice(traffic.RerouteProposed)
	if len(rs) != 1 {
		tn.t.Fatalf("%d proposals to decide about", len(rs))
	}
	rs[0].Status = status
	if err := tn.store.PutReroutes(tn.t.Context(), rs[0].At, rs); err != nil {
		tn.t.Fatal(err)
	}
}

// statuses counts the advice by status.
func (tn *town) statuses() map[traffic.RerouteStatus]int {
	tn.t.Helper()
	n := make(map[traffic.RerouteStatus]int)
	for _, r := range tn.advice() {
		n[r.Status]++
	}
	return n
}

func TestApprovedAdviceStaysApproved(t *testing.T) {
	tn := newTown(t, Default(), block())
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	tn.adviseNow()
	tn.decide(traffic.RerouteApproved)
	tn.adviseNow() // the same cycle again
	if n := tn.statuses(); n[traffic.RerouteApproved] != 1 || len(n) != 1 {
		t.Errorf("the same cycle again: %v, want it approved", n)
	}
	tn.forecast(forecastAt(5, "main", 0.9))
	tn.adviseNow()
	if n := tn.statuses(); n[traffic.RerouteApproved] != 1 || n[traffic.RerouteExpired] != 1 {
		t.Errorf("the next cycle: %v, want the newest approved and the older expired", n)
	}
	tn.forecast(forecastAt(10, "main", 0.1))
	tn.adviseNow()
	if n := tn.statuses(); n[traffic.RerouteExpired] != 2 || len(n) != 1 {
		t.Errorf("the jam is over: %v, want all expired", n)
	}
}

// A rejected detour is not proposed again while the jam lasts, and nobody is told of it.
func TestRejectedAdviceStaysRejected(t *testing.T) {
	tn := newTown(t, Default(), block())
	news, err := tn.bus.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	tn.adviseNow()
	if e := <-news; len(e.Reroutes) != 1 {
		t.Fatalf("told of %d pieces", len(e.Reroutes))
	}
	tn.decide(traffic.RerouteRejected)
	for _, minutes := range []int{5, 15, 25} { // each cycle prolongs the decision
		tn.forecast(forecastAt(minutes, "main", 0.9))
		if rs := tn.adviseNow(); len(rs) != 0 {
			t.Errorf("after %d min: proposed again: %+v", minutes, rs)
		}
		if e := <-news; e.Reroutes == nil || len(e.Reroutes) != 0 {
			t.Errorf("after %d min: told of %+v", minutes, e.Reroutes)
		}
	}
	tn.forecast(forecastAt(60, "main", 0.9)) // much later it is another jam
	if rs := tn.adviseNow(); len(rs) != 1 {
		t.Errorf("an hour later: %d proposals, want 1", len(rs))
	}
}
