package works

import (
	"time"

	"github.com/paulmach/orb"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Kind is what a work does to traffic.
type Kind string

// The kinds, from hard to soft.
const (
	// Closed lets nobody through.
	Closed Kind = "closed"
	// DeadEnd lets nobody through, but in.
	DeadEnd Kind = "dead_end"
	// OneWay leaves one direction open.
	OneWay Kind = "one_way"
	// Narrowed takes lanes or width.
	Narrowed Kind = "narrowed"
	// Beside is beside the carriageway.
	Beside Kind = "beside"
	// Unsaid is a work whose effect on traffic is not published.
	Unsaid Kind = "unsaid"
)

// A Work is a closure or a roadwork.
type Work struct {
	// ID is the city's own name for it.
	ID   string
	Kind Kind
	// From and To bound the time during which it holds, From included, To not.
	From, To time.Time
	// Title says where it is, Detail more about it, both in the city's words.
	Title, Detail string
	// Category is what the city files it under, such as "Tunnel" or "Bretelle".
	Category string
	// Direction is the closed direction in the city's words; empty: both, or unsaid.
	Direction string
	// Shape is a line or polygon in WGS 84, nil when it was not published.
	Shape orb.Geometry
	// Roads are those that it touches, by id; Locate fills them in.
	Roads []Touch
}

// A Touch is a road that a work lies on.
type Touch struct {
	Road traffic.RoadID
	// CoveredM is how much of the road the work takes, in metres, and Share that as
	// a share of its length, 0 to 1.
	CoveredM, Share float64
}

// Active reports whether the work holds at a time.
func (w *Work) Active(at time.Time) bool { return !at.Before(w.From) && at.Before(w.To) }
