package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/export"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	exportPath = "/api/export/"
	// maxExport bounds the time that one export covers.
	maxExport = 366 * 24 * time.Hour
	// maxExports is how many run at once: each holds a connection to the database.
	maxExports = 2
	// exportWrite is how long the client may take for one piece.
	exportWrite = 30 * time.Second
	// maxExportRoads bounds the roads that are named in an address.
	maxExportRoads = 500
	// stamp is a time in a file's name.
	stamp = "20060102T150405Z"
)

// exports bounds and counts the exports of this process.
type exports struct {
	running chan struct{}
	rows    *prometheus.CounterVec
	broken  prometheus.Counter
}

func newExports(reg prometheus.Registerer) exports {
	f := promauto.With(reg)
	return exports{
		running: make(chan struct{}, maxExports),
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_exported_rows_total", Help: "Rows sent by exports, by what they are and format.",
		}, []string{"what", "format"}),
		broken: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_api_exports_broken_total", Help: "Exports that ended before their last row: the client left or was too slow, or the store failed.",
		}),
	}
}

// exportQuery are the parameters of an export.
type exportQuery struct {
	what   string
	format export.Format
	window export.Window
}

// exporter writes the rows of one kind.
type exporter func(ctx context.Context, w io.Writer, q exportQuery) (rows int, err error)

// exportReadings answers GET /api/export/readings.
func (s *Server) exportReadings(c *gin.Context) error {
	return s.export(c, "readings", func(ctx context.Context, w io.Writer, q exportQuery) (int, error) {
		return export.Readings(ctx, w, q.format, s.parts.Store, q.window)
	})
}

// exportPredictions answers GET /api/export/predictions.
func (s *Server) exportPredictions(c *gin.Context) error {
	return s.export(c, "predictions", func(ctx context.Context, w io.Writer, q exportQuery) (int, error) {
		return export.Predictions(ctx, w, q.format, s.parts.Store, q.window)
	})
}

// export streams. What fails before the first byte is a problem; what fails later cuts
// the connection, so that nobody takes half a file for a whole one.
func (s *Server) export(c *gin.Context, what string, write exporter) error {
	q, err := s.readExport(c, what)
	if err != nil {
		return err
	}
	select {
	case s.exports.running <- struct{}{}:
		defer func() { <-s.exports.running }()
	default:
		return &problem.Error{
			Kind: problem.Unavailable, RetryAfter: exportWrite,
			Detail: strconv.Itoa(maxExports) + " exports are running, which is the most at once",
		}
	}
	out := &attachment{c: c, control: http.NewResponseController(c.Writer), q: q}
	rows, err := write(c.Request.Context(), out, q)
	s.exports.rows.WithLabelValues(what, string(q.format)).Add(float64(rows))
	if err == nil {
		return nil
	}
	s.exports.broken.Inc()
	if !out.begun {
		return err
	}
	s.log.Warn("an export was cut off", "request_id", requestID(c), "what", what, "format", q.format, "rows", rows, "error", err)
	panic(http.ErrAbortHandler)
}

// readExport reads and bounds the parameters.
func (s *Server) readExport(c *gin.Context, what string) (exportQuery, error) {
	q := newQuery(c.Request)
	out := exportQuery{what: what}
	names := make([]string, 0, len(export.Formats()))
	for _, f := range export.Formats() {
		names = append(names, string(f))
	}
	out.format = export.Format(q.oneOf("format", names...))
	from, to := q.moment("from"), q.moment("to")
	ids, box := q.words("roads", maxExportRoads), q.box("bbox")
	const required = "an RFC 3339 time: the parameter is required"
	switch {
	case from.IsZero():
		q.refuse("from", "", required)
	case to.IsZero():
		q.refuse("to", "", required)
	case !from.Before(to):
		q.refuse("to", q.values.Get("to"), "a time after from")
	case to.Sub(from) > maxExport:
		q.refuse("to", q.values.Get("to"), fmt.Sprintf("at most %d days after from: ask for one year after the other", maxExport/(24*time.Hour)))
	}
	if err := q.done(); err != nil {
		return out, err
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return out, err
	}
	out.window = export.Window{From: from, To: to, Keep: keep(roads, ids, box), Places: places(roads)}
	return out, nil
}

// keep tells which roads are wanted: those that are named or lie in the box; all when
// neither is given, which nil says.
func keep(roads *network.Roads, ids []string, box *store.BBox) func(traffic.RoadID) bool {
	if ids == nil && box == nil {
		return nil
	}
	wanted := make(map[traffic.RoadID]bool, len(ids))
	for _, id := range ids {
		wanted[traffic.RoadID(id)] = true
	}
	if box != nil {
		for i := range roads.List {
			if r := &roads.List[i]; r.Inside(box) {
				wanted[r.ID] = true
			}
		}
	}
	return func(id traffic.RoadID) bool { return wanted[id] }
}

func places(roads *network.Roads) export.Places {
	return func(id traffic.RoadID) (traffic.Point, bool) {
		r := roads.Find(id)
		if r == nil {
			return traffic.Point{}, false
		}
		lat, ok1 := r.Lat.Get()
		lng, ok2 := r.Lng.Get()
		return traffic.Point{Lat: lat, Lng: lng}, ok1 && ok2
	}
}

// An attachment is an answer that is saved as a file. It begins with the first bytes, and
// each write has a deadline of its own.
type attachment struct {
	c       *gin.Context
	control *http.ResponseController
	q       exportQuery
	begun   bool
}

// Write sends a piece.
func (a *attachment) Write(b []byte) (int, error) {
	// Tests and middlemen may have no deadlines; then the server's own holds.
	if err := a.control.SetWriteDeadline(time.Now().Add(exportWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("renew deadline: %w", err)
	}
	if !a.begun {
		a.begun = true
		a.c.Header("Content-Type", a.q.format.ContentType())
		a.c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="cityflow-%s-%s-%s.%s"`, a.q.what,
			a.q.window.From.Format(stamp), a.q.window.To.Format(stamp), a.q.format))
		a.c.Header("Cache-Control", "no-store")
		a.c.Status(http.StatusOK)
	}
	return a.c.Writer.Write(b)
}
