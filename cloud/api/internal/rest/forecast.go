package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// predictionList is a list that says how old its content is.
type predictionList[T any] struct {
	listWith[T]
	Stale bool `json:"stale"`
}

// predictions answers GET /api/predictions: from the picture for all roads, from the
// store for the past of one.
func (s *Server) predictions(c *gin.Context) error {
	q := newQuery(c.Request)
	horizon := q.integer("horizon", 1, live.MaxHorizonMin, 0)
	road, model, before, page := q.name("road_id"), q.name("model"), q.moment("before"), q.page()
	if road == "" && !before.IsZero() {
		q.refuse("before", q.values.Get("before"), "nothing without road_id: the newest forecast of each road has no order in time")
	}
	if err := q.done(); err != nil {
		return err
	}
	if err := s.pictureReady(c); err != nil {
		return err
	}
	if road == "" {
		return s.latestPredictions(c, horizon, model, page)
	}
	ps, next, err := s.parts.Store.Predictions(c.Request.Context(), store.PredictionQuery{
		Roads: []traffic.RoadID{traffic.RoadID(road)}, HorizonMin: horizon, Model: model, To: before, Page: page,
	})
	if err != nil {
		return ofCursor(err, page)
	}
	return write(c, http.StatusOK, withAge(s, show(ps, next, payload.OfPrediction)))
}

// withAge says how the forecasts stand to the measurements.
func withAge[T any](s *Server, l list[T]) predictionList[T] {
	p := s.parts.Hub.Picture
	return predictionList[T]{listWith[T]{l, orNull(p.Watermark())}, p.Stale()}
}

// latestPredictions lists the forecasts in force. Its cursor is the key of the last one.
func (s *Server) latestPredictions(c *gin.Context, horizon int, model string, page store.Page) error {
	var after live.PredictionKey
	if page.After != "" && page.After.Parse(&after.Road, &after.HorizonMin) != nil {
		return badCursor(page.After)
	}
	part, err := s.parts.Hub.Picture.Predictions(func(p *traffic.Prediction) bool {
		return (horizon == 0 || p.HorizonMin == horizon) && (model == "" || p.Model == model)
	}, after, page.Limit)
	if err != nil {
		return err
	}
	out, err := partOf(part, part.Last.Road, part.Last.HorizonMin)
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, withAge[json.RawMessage](s, out))
}

// reroutesRecommended answers GET /api/reroutes/recommended from the store, because
// operators look for advice of other statuses and times too.
func (s *Server) reroutesRecommended(c *gin.Context) error {
	q := newQuery(c.Request)
	statuses := readStatuses(q)
	road, before, page := q.name("road_id"), q.moment("before"), q.page()
	if err := q.done(); err != nil {
		return err
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return err
	}
	rs, next, err := s.parts.Store.Reroutes(c.Request.Context(), store.RerouteQuery{
		Statuses: statuses, Route: traffic.RoadID(road), To: before, Page: page,
	})
	if err != nil {
		return ofCursor(err, page)
	}
	data := make([]payload.Reroute, len(rs))
	for i := range rs {
		if data[i], err = payload.OfReroute(&rs[i], roads.Label); err != nil {
			return err
		}
	}
	return write(c, http.StatusOK, list[payload.Reroute]{Data: data, NextCursor: next, HasMore: next != ""})
}

// readStatuses reads which statuses are wanted; those in force when none is named.
func readStatuses(q *query) []traffic.RerouteStatus {
	known := []traffic.RerouteStatus{
		traffic.RerouteProposed, traffic.RerouteApproved, traffic.RerouteActive,
		traffic.RerouteExpired, traffic.RerouteRejected,
	}
	words := q.words("status", len(known))
	if words == nil {
		return live.InForce()
	}
	var out []traffic.RerouteStatus
	for _, w := range words {
		status := traffic.RerouteStatus(w)
		if !slices.Contains(known, status) {
			q.refuse("status", w, "proposed, approved, active, expired or rejected, separated by commas")
		}
		out = append(out, status)
	}
	return out
}

// ofCursor is the answer to a list's error; a cursor of another list is the client's.
func ofCursor(err error, p store.Page) error {
	if errors.Is(err, store.ErrCursor) {
		return badCursor(p.After)
	}
	return err
}
