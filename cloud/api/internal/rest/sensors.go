package rest

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// sensors answers GET /api/sensors. Silence is judged at the newest event time of the
// city, so that a replayed day is not one long silence.
func (s *Server) sensors(c *gin.Context) error {
	q := newQuery(c.Request)
	sel := store.SensorQuery{
		Road: traffic.RoadID(q.name("road_id")), Edge: traffic.EdgeID(q.name("edge_id")),
		Status: traffic.SensorStatus(q.oneOf("status", "", string(traffic.SensorSilent), string(traffic.SensorStuck),
			string(traffic.SensorInconsistent), string(traffic.SensorDrifting), string(traffic.SensorOK))),
		At: s.parts.Hub.Picture.Watermark(), Page: q.page(),
	}
	if err := q.done(); err != nil {
		return err
	}
	hs, next, err := s.parts.Store.Sensors(c.Request.Context(), sel)
	if err != nil {
		return ofCursor(err, sel.Page)
	}
	return write(c, http.StatusOK, listWith[payload.Sensor]{
		show(hs, next, func(h *traffic.SensorHealth) payload.Sensor { return payload.OfSensor(h, sel.At) }), orNull(sel.At),
	})
}

// gaps answers GET /api/gaps.
func (s *Server) gaps(c *gin.Context) error {
	q := newQuery(c.Request)
	sel := store.GapQuery{Edge: traffic.EdgeID(q.name("edge_id")), From: q.moment("from"), To: q.moment("to"), Page: q.page()}
	if !sel.From.IsZero() && !sel.To.IsZero() && !sel.From.Before(sel.To) {
		to, _ := q.text("to")
		q.refuse("to", to, "a time after from")
	}
	if err := q.done(); err != nil {
		return err
	}
	gs, next, err := s.parts.Store.Gaps(c.Request.Context(), sel)
	if err != nil {
		return ofCursor(err, sel.Page)
	}
	return write(c, http.StatusOK, show(gs, next, payload.OfGap))
}
