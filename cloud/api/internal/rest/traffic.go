package rest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	defaultWidth = 5 * time.Minute
	maxWidth     = 168 * time.Hour
	// maxBuckets bounds the work for one question about history.
	maxBuckets = 10_000
)

// trafficLive answers GET /api/traffic/live: from the picture for all roads, from the
// store for the past of one.
func (s *Server) trafficLive(c *gin.Context) error {
	q := newQuery(c.Request)
	road, box, before, page := q.name("road_id"), q.box("bbox"), q.moment("before"), q.page()
	if road == "" && !before.IsZero() {
		q.refuse("before", q.values.Get("before"), "nothing without road_id: the newest reading of each road has no order in time")
	}
	if road != "" && box != nil {
		q.refuse("bbox", q.values.Get("bbox"), "nothing together with road_id")
	}
	if err := q.done(); err != nil {
		return err
	}
	if road != "" {
		return s.readingsOf(c, store.ReadingQuery{Road: traffic.RoadID(road), To: before, Page: page})
	}
	if err := s.pictureReady(c); err != nil {
		return err
	}
	keep, err := s.inside(c, box)
	if err != nil {
		return err
	}
	var after traffic.RoadID
	if page.After != "" && page.After.Parse(&after) != nil {
		return badCursor(page.After)
	}
	picture := s.parts.Hub.Picture
	part, err := picture.States(keep, after, page.Limit)
	if err != nil {
		return err
	}
	out, err := partOf(part, part.Last)
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, listWith[json.RawMessage]{out, orNull(picture.Watermark())})
}

// partOf is a part of the picture as a list; key is where it ended.
func partOf[K any](p live.Part[K], key ...any) (list[json.RawMessage], error) {
	out := list[json.RawMessage]{Data: p.Items, HasMore: p.More}
	if !p.More {
		return out, nil
	}
	next, err := store.MakeCursor(key...)
	out.NextCursor = next
	return out, err
}

// inside tells which roads lie in the box; all do when there is none.
func (s *Server) inside(c *gin.Context, box *store.BBox) (func(traffic.RoadID) bool, error) {
	if box == nil {
		return func(traffic.RoadID) bool { return true }, nil
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return nil, err
	}
	return func(id traffic.RoadID) bool {
		r := roads.Find(id)
		return r != nil && r.Inside(box)
	}, nil
}

// readingsOf lists one road's readings. An unknown road has none, which is no error:
// its sensor may report tomorrow.
func (s *Server) readingsOf(c *gin.Context, q store.ReadingQuery) error {
	readings, next, err := s.parts.Store.Readings(c.Request.Context(), q)
	if err != nil {
		return ofCursor(err, q.Page)
	}
	return write(c, http.StatusOK, listWith[payload.Reading]{
		show(readings, next, payload.OfReading), orNull(s.parts.Hub.Picture.Watermark()),
	})
}

// historyQuery are the parameters of GET /api/traffic/history.
type historyQuery struct {
	road     traffic.RoadID
	from, to time.Time
	width    time.Duration
	page     store.Page
}

// readHistoryQuery reads and bounds the parameters; the bound on buckets is what keeps
// one question from reading a year by the second.
func readHistoryQuery(r *http.Request) (historyQuery, error) {
	q := newQuery(r)
	in := historyQuery{
		road: traffic.RoadID(q.required("road_id")),
		from: q.moment("from"), to: q.moment("to"),
		width: q.width("width", time.Second, maxWidth, defaultWidth),
		page:  q.page(),
	}
	switch {
	case in.from.IsZero():
		q.refuse("from", "", "an RFC 3339 time: the parameter is required")
	case in.to.IsZero():
		q.refuse("to", "", "an RFC 3339 time: the parameter is required")
	case !in.from.Before(in.to):
		q.refuse("to", q.values.Get("to"), "a time after from")
	case in.to.Sub(in.from) > maxBuckets*in.width:
		q.refuse("width", in.width.String(), "at most 10000 widths from from to to: ask for less time or a larger width")
	}
	return in, q.done()
}

// trafficHistory answers GET /api/traffic/history. The cursor is the beginning of the
// next bucket, so a page costs no more than what is left of the range.
func (s *Server) trafficHistory(c *gin.Context) error {
	in, err := readHistoryQuery(c.Request)
	if err != nil {
		return err
	}
	from := in.from
	if in.page.After != "" {
		if in.page.After.Parse(&from) != nil || from.Before(in.from) || !from.Before(in.to) {
			return badCursor(in.page.After)
		}
	}
	buckets, err := s.parts.Store.Buckets(c.Request.Context(), store.BucketQuery{
		Roads: []traffic.RoadID{in.road}, From: from, To: in.to, Width: in.width,
	})
	if err != nil {
		return err
	}
	var next store.Cursor
	if len(buckets) > in.page.Limit {
		if next, err = store.MakeCursor(buckets[in.page.Limit].Start.UTC()); err != nil {
			return err
		}
		buckets = buckets[:in.page.Limit]
	}
	return write(c, http.StatusOK, show(buckets, next, payload.OfBucket))
}
