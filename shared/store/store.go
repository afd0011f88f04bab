package store

import (
	"context"
	"errors"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Errors that every backend returns, wrapped; ask with errors.Is.
var (
	// ErrNotFound is returned when the one thing asked for does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned when a unique value, such as a user's e-mail
	// address, is taken.
	ErrConflict = errors.New("already exists")
	// ErrTokenReused is returned when a refresh token that was already
	// exchanged is offered again; its whole family is revoked by then.
	ErrTokenReused = errors.New("refresh token was used before")
	// ErrCursor is returned for a cursor that this store did not issue.
	ErrCursor = errors.New("malformed cursor")
	// ErrNewerSchema is returned by Open when the data was written by a newer
	// version of the program.
	ErrNewerSchema = errors.New("data was written by a newer version")
)

// A Store is the whole promise of a backend. Callers ask for one of its parts.
type Store interface {
	traffic.Sink
	ReadingWriter
	RoadWriter
	RoadReader
	ReadingReader
	ReadingScanner
	ForecastWriter
	ForecastReader
	AdviceWriter
	AdviceReader
	RejectedReader
	GapReader
	Maintainer
	Accounts
	Users
	Keys
	Edges
	SensorWriter
	SensorReader
	AlertWriter
	AlertReader
	SkillWriter
	SkillReader
	// Ping returns nil when the database answers.
	Ping(ctx context.Context) error
	// Close waits for running transactions and releases the database.
	Close() error
}

// A BatchID names one batch of one edge: an edge numbers its batches from 1
// within an epoch, and begins a new epoch when its buffer was created anew.
type BatchID struct {
	Edge  traffic.EdgeID
	Epoch uint64
	Seq   uint64
}

// A Delivery is what one transaction of Append takes.
type Delivery struct {
	Readings []traffic.Reading
	// Batches are recorded as received, so that a batch sent again is known.
	Batches []BatchID
	// Rejected are kept, at most a bounded number of the newest.
	Rejected []traffic.Rejected
	// Settled are ids of rejected messages that are rejected no more: they leave the
	// list together with what of the delivery is stored. Ids that are not there are
	// nothing to do.
	Settled []string
	// Gaps are kept, each once by its name; one that is reported again with a
	// later LastSeq has grown and takes the place of what was known.
	Gaps []traffic.Gap
}

// Appended says what Append did.
type Appended struct {
	// New and Duplicate add up to the number of readings offered.
	New, Duplicate int
	// Latest holds the new state of each road that has one, at most one a road.
	Latest []traffic.RoadState
}

// A ReadingWriter stores readings. Append also makes roads that it hears of for
// the first time, and takes over the label and position of a reading's Place
// without touching what else is known of the road.
type ReadingWriter interface {
	Append(ctx context.Context, d Delivery) (Appended, error)
}

// A RoadWriter stores the network. PutRoads inserts or updates roads; absent fields
// (empty, nil, Value{}) of a given road leave the stored ones as they are.
type RoadWriter interface {
	PutRoads(ctx context.Context, roads []traffic.Road) error
}

// A BBox is a rectangle in WGS 84 degrees, borders included.
type BBox struct {
	MinLng, MinLat, MaxLng, MaxLat float64
}

// A Page says which part of a list is wanted.
type Page struct {
	// Limit is the largest number of items; 0 means DefaultLimit. A backend
	// does not cap it: the API does for its clients.
	Limit int
	// After is the cursor that the previous part ended with; empty for the first.
	After Cursor
}

// DefaultLimit is the length of a part when none is asked for.
const DefaultLimit = 100

// RoadFilter narrows a list of roads. The zero value keeps all.
type RoadFilter struct {
	// BBox keeps roads whose Lat, Lng lies in it.
	BBox *BBox
	// IDs keeps these roads only.
	IDs []traffic.RoadID
}

// A RoadReader lists roads in the byte order of their ids. The returned cursor is
// empty at the end.
type RoadReader interface {
	Roads(ctx context.Context, f RoadFilter, p Page) ([]traffic.Road, Cursor, error)
}

// ReadingQuery selects raw readings.
type ReadingQuery struct {
	// Road is required.
	Road traffic.RoadID
	// From and To bound Reading.At, half open; zero is open.
	From, To time.Time
	Page     Page
}

// BucketQuery selects averages.
type BucketQuery struct {
	// Roads keeps these roads only; nil means all.
	Roads []traffic.RoadID
	// From and To are required; buckets begin at whole multiples of Width since
	// 1970-01-01 UTC and hold only readings inside [From, To).
	From, To time.Time
	// Width is at least a second and a whole number of seconds.
	Width time.Duration
}

// A ReadingReader answers questions about what was measured.
type ReadingReader interface {
	// Readings lists a road's readings, newest first.
	Readings(ctx context.Context, q ReadingQuery) ([]traffic.Reading, Cursor, error)
	// Buckets returns averages ordered by road, then start; empty buckets are
	// left out.
	Buckets(ctx context.Context, q BucketQuery) ([]traffic.Bucket, error)
	// Latest lists the newest state of each road that has one, in the byte
	// order of the road ids.
	Latest(ctx context.Context, f RoadFilter, p Page) ([]traffic.RoadState, Cursor, error)
	// Watermark is the newest event time stored, at most limit; zero when there is
	// none. Callers pass their clock plus a tolerance, so that one sensor whose
	// clock runs ahead does not move everybody's "now".
	Watermark(ctx context.Context, limit time.Time) (time.Time, error)
	// FirstSince is the oldest event time that is not before from; zero when
	// there is none.
	FirstSince(ctx context.Context, from time.Time) (time.Time, error)
}

// A ForecastWriter stores predictions; one that exists is replaced.
type ForecastWriter interface {
	PutPredictions(ctx context.Context, ps []traffic.Prediction) error
}

// PredictionQuery selects predictions.
type PredictionQuery struct {
	// Roads keeps these roads only; nil means all.
	Roads []traffic.RoadID
	// HorizonMin keeps one horizon, in minutes; 0 means all.
	HorizonMin int
	// Model keeps one model; empty means all.
	Model string
	// From and To bound Prediction.At, half open; zero is open.
	From, To time.Time
	Page     Page
}

// A ForecastReader reads predictions.
type ForecastReader interface {
	// LatestPredictions lists the newest prediction of each (road, horizon,
	// model), in the byte order of road id, then horizon, then model.
	LatestPredictions(ctx context.Context, q PredictionQuery) ([]traffic.Prediction, Cursor, error)
	// Predictions lists predictions, newest At first, then by road, horizon and
	// model ascending.
	Predictions(ctx context.Context, q PredictionQuery) ([]traffic.Prediction, Cursor, error)
	// LastCycle is the newest Prediction.At of a model, zero when it has none.
	LastCycle(ctx context.Context, model string) (time.Time, error)
}

// An AdviceWriter stores reroutes. PutReroutes stores the advice computed at one
// event time: every older proposed piece becomes expired, the given ones are inserted
// or replaced, all in one transaction. An empty list only expires.
type AdviceWriter interface {
	PutReroutes(ctx context.Context, at time.Time, rs []traffic.Reroute) error
}

// RerouteQuery selects advice.
type RerouteQuery struct {
	// Statuses keeps these; nil means all.
	Statuses []traffic.RerouteStatus
	// Route keeps advice about one road; empty means all.
	Route traffic.RoadID
	// From and To bound Reroute.At, half open; zero is open.
	From, To time.Time
	Page     Page
}

// An AdviceReader lists reroutes, newest At first, then by route and alternative.
type AdviceReader interface {
	Reroutes(ctx context.Context, q RerouteQuery) ([]traffic.Reroute, Cursor, error)
}

// A RejectedReader lists what was refused, newest first.
type RejectedReader interface {
	Rejected(ctx context.Context, p Page) ([]traffic.Rejected, Cursor, error)
}

// GapQuery selects what edges lost.
type GapQuery struct {
	// Edge keeps the gaps of one edge; empty means all.
	Edge traffic.EdgeID
	// From and To keep the gaps that reach into [From, To) with the times they lost
	// or, where those are not known, with the moment they were noticed. Zero is
	// open.
	From, To time.Time
	Page     Page
}

// A GapReader lists what edges lost, newest first: in the reverse order in which
// the store heard of it.
type GapReader interface {
	Gaps(ctx context.Context, q GapQuery) ([]traffic.Gap, Cursor, error)
}
