package traffic

import "time"

// AlertKind is what an alert warns of. It is a value in answers: names are added, never
// changed.
type AlertKind string

// AlertIncident is traffic far worse than its forecast on neighbouring roads, which is
// how an accident or a closure looks to sensors.
const AlertIncident AlertKind = "incident"

// Severity is how bad an alert is.
type Severity string

// The severities, mildest first.
const (
	SeverityMinor  Severity = "minor"
	SeverityMajor  Severity = "major"
	SeveritySevere Severity = "severe"
)

// An Alert says that something is wrong somewhere, from when to when.
// (Start, Road, Kind) names it: writing it again replaces it.
type Alert struct {
	Kind AlertKind
	// Road is where it was worst when the alert was raised.
	Road RoadID
	// Start is the event time at which it began, End the one at which it was over; zero
	// while it goes on.
	Start, End time.Time
	// Updated is the newest event time at which it was judged.
	Updated time.Time
	// Severity is the worst that it has been.
	Severity Severity
	// Roads are all roads that it has touched, in the order of their ids, at most
	// MaxAlertRoads.
	Roads []RoadID
	// Observed and Expected are how much slower than free the traffic was and should have
	// been at the worst moment, 0 to 1; the occupancy where no speed is measured.
	Observed, Expected float64
	// Lat and Lng are where Road is, absent when nobody said.
	Lat, Lng Value
	// Detail is one sentence for people.
	Detail string
}

// MaxAlertRoads bounds the roads of one alert.
const MaxAlertRoads = 100

// Active reports whether the alert goes on.
func (a *Alert) Active() bool { return a.End.IsZero() }
