package store

import (
	"context"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A SensorWriter keeps what was found out about sensors. Of two reports about one sensor
// the one with the newer Last stays, so that of several collectors none undoes what
// another knows better.
type SensorWriter interface {
	PutSensors(ctx context.Context, hs []traffic.SensorHealth) error
}

// SensorQuery selects sensors.
type SensorQuery struct {
	// Road keeps the sensors of one road, Edge those that one edge delivers; empty
	// means all.
	Road traffic.RoadID
	Edge traffic.EdgeID
	// Status keeps the sensors that have it at the event time At; empty means all. See
	// traffic.SensorHealth.Status.
	Status traffic.SensorStatus
	At     time.Time
	Page   Page
}

// A SensorReader lists sensors in the byte order of their names.
type SensorReader interface {
	Sensors(ctx context.Context, q SensorQuery) ([]traffic.SensorHealth, Cursor, error)
}
