package traffic

import "time"

// NodeID names a junction. Zero is a real node of some cities: absence is the
// empty string.
type NodeID string

// A Point is a WGS 84 position in degrees.
type Point struct {
	Lat, Lng float64
}

// Class is the role of a road in its network; it sets the cold-start priors.
type Class string

// The classes, from fast to slow. The empty Class is unknown and treated as
// ClassSecondary.
const (
	ClassMotorway    Class = "motorway"
	ClassTrunk       Class = "trunk"
	ClassPrimary     Class = "primary"
	ClassSecondary   Class = "secondary"
	ClassTertiary    Class = "tertiary"
	ClassResidential Class = "residential"
)

// A Road is a directed arc of the network, or just the place of a sensor when no
// network is known.
type Road struct {
	ID    RoadID
	Label string
	// Lat and Lng are a point on the road for lists and labels; absent when
	// nobody said where the road is.
	Lat, Lng Value
	// Geometry runs from FromNode to ToNode; it may have several parts when the
	// source's pieces do not chain. Nil when unknown.
	Geometry [][]Point
	// FromNode and ToNode are the upstream and the downstream junction.
	FromNode, ToNode NodeID
	// LengthM is in metres, the sum over the parts.
	LengthM Value
	Class   Class
	// FreeFlowKMH is the speed of the undisturbed road in km/h.
	FreeFlowKMH Value
	// CapacityVPH is in vehicles per hour over all lanes.
	CapacityVPH Value
	UpdatedAt   time.Time
}

// A RoadState is the newest reading of a road with its score: what the live map
// shows.
type RoadState struct {
	Reading
	// SpeedEstimated says that the sensor gave no speed and Speed was
	// derived from flow and occupancy.
	SpeedEstimated bool
}

// A Bucket is the average of a road's readings over [Start, Start+Width).
type Bucket struct {
	Road  RoadID
	Start time.Time
	Width time.Duration
	// Speed, Flow and Occupancy are means over the readings that had them, in
	// the units of Reading.
	Speed, Flow, Occupancy Value
	// Score is the mean score of the readings that were scored.
	Score Value
	// Samples counts the readings in the bucket.
	Samples int64
}
