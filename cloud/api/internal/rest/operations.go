package rest

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// checkTimeout bounds one readiness check.
const checkTimeout = 2 * time.Second

// rejected answers GET /api/rejected.
func (s *Server) rejected(c *gin.Context) error {
	q := newQuery(c.Request)
	page := q.page()
	if err := q.done(); err != nil {
		return err
	}
	rs, next, err := s.parts.Store.Rejected(c.Request.Context(), page)
	if err != nil {
		return ofCursor(err, page)
	}
	return write(c, http.StatusOK, show(rs, next, payload.OfRejected))
}

// health answers GET /health: whoever can answer lives.
func (s *Server) health(c *gin.Context) error {
	return write(c, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness has the shape of every other process of the house.
type readiness struct {
	Ready   bool              `json:"ready"`
	Missing map[string]string `json:"missing"`
}

// readyz says what is missing, by name. Why is in the log: this page is open.
func (s *Server) readyz(c *gin.Context) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), checkTimeout)
	defer cancel()
	checks := s.parts.Checks
	errs := make([]error, len(checks))
	var asking sync.WaitGroup
	for i := range checks {
		asking.Go(func() { errs[i] = checks[i].Ask(ctx) })
	}
	asking.Wait()
	out := readiness{Ready: true, Missing: map[string]string{}}
	for i, err := range errs {
		if err == nil {
			continue
		}
		s.log.Warn("not ready", "check", checks[i].Name, "required", checks[i].Required, "error", err)
		out.Missing[checks[i].Name] = "does not work now; the log says why"
		out.Ready = out.Ready && !checks[i].Required
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	return write(c, status, out)
}

// metricsPage answers GET /metrics.
func (s *Server) metricsPage(c *gin.Context) error {
	s.parts.Metrics.ServeHTTP(c.Writer, c.Request)
	return nil
}

// openAPI answers GET /api/openapi.json.
func (s *Server) openAPI(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	if !unchanged(c, s.parts.Document.Version, "no-cache") {
		c.Data(http.StatusOK, "application/json", s.parts.Document.JSON)
	}
	return nil
}

// docs answers GET /api/docs.
func (s *Server) docs(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	if !unchanged(c, s.parts.Document.Version, "no-cache") {
		c.Data(http.StatusOK, "text/html; charset=utf-8", s.parts.Document.HTML)
	}
	return nil
}

// stream answers GET /ws/live.
func (s *Server) stream(c *gin.Context) error {
	sub, err := readSubscription(c.Request)
	if err != nil {
		return err
	}
	if p := s.parts.Hub.Serve(c.Writer, c.Request, identityOf(c), sub); p != nil {
		return p
	}
	return nil
}

// readSubscription reads the first subscription of a stream from its query, so that a
// client which wants a part of the city is not sent all of it first.
func readSubscription(r *http.Request) (live.Subscription, error) {
	q := newQuery(r)
	q.text("token") // the gate has read it
	q.text("ticket")
	sub := live.Subscription{BBox: q.box("bbox")}
	for _, w := range q.words("roads", 500) {
		sub.Roads = append(sub.Roads, traffic.RoadID(w))
	}
	for _, w := range q.words("channels", len(live.Channels())) {
		sub.Channels = append(sub.Channels, live.Channel(w))
	}
	for _, w := range q.words("horizons", 8) {
		n, err := strconv.Atoi(w)
		if err != nil {
			q.refuse("horizons", w, "whole minutes separated by commas")
		}
		sub.Horizons = append(sub.Horizons, n)
	}
	if text, ok := q.text("seq"); ok {
		seq, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			q.refuse("seq", text, "the seq of a message")
		}
		sub.Seq = &seq
	}
	if err := q.done(); err != nil {
		return live.Subscription{}, err
	}
	if bad := sub.Validate(); bad != nil {
		return live.Subscription{}, bad.Problem()
	}
	return sub, nil
}
