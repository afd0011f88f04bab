package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	mediaGeoJSON = "application/geo+json"
	// revalidate lets browsers keep an answer and ask whether it still holds.
	revalidate = "private, no-cache"

	beginCollection = `{"type":"FeatureCollection","features":[`
	endCollection   = "]}\n"
)

// roadsQuery are the parameters of GET /api/roads.
type roadsQuery struct {
	box           *store.BBox
	format, state string
	page          store.Page
}

// readRoadsQuery reads the parameters. Paging a FeatureCollection would give maps half
// a city, so those parameters are refused with it instead of ignored.
func readRoadsQuery(r *http.Request) (roadsQuery, error) {
	q := newQuery(r)
	in := roadsQuery{
		box:    q.box("bbox"),
		format: q.oneOf("format", "json", "geojson"),
		state:  q.oneOf("state", "latest", "none"),
		page:   q.page(),
	}
	if in.format == "geojson" {
		for _, name := range []string{"limit", "cursor"} {
			if q.values.Has(name) {
				q.refuse(name, q.values.Get(name), "nothing with format=geojson, which is not paged")
			}
		}
	}
	return in, q.done()
}

// roads answers GET /api/roads. The ETag of an answer with states changes with each
// reading, that of one without only with the network.
func (s *Server) roads(c *gin.Context) error {
	in, err := readRoadsQuery(c.Request)
	if err != nil {
		return err
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return err
	}
	if in.state == "latest" && in.box == nil {
		return s.wholeCity(c, roads, in)
	}
	version := roads.Version
	if in.state == "latest" {
		if err := s.pictureReady(c); err != nil {
			return err
		}
		version += "-" + strconv.FormatUint(s.parts.Hub.Picture.Revision(), 36)
	}
	if unchanged(c, version, revalidate) {
		return nil
	}
	switch {
	case in.format == "json":
		text, err := s.roadList(roads, in)
		if err == nil {
			c.Data(http.StatusOK, "application/json", text)
		}
		return err
	case in.state == "none" && in.box == nil:
		c.Data(http.StatusOK, mediaGeoJSON, s.network.get(roads))
		return nil
	default:
		return s.features(c, roads, in)
	}
}

// pictureReady returns a problem while the picture has not been read from the store.
func (s *Server) pictureReady(c *gin.Context) error {
	if err := s.parts.Hub.Picture.Ready(c.Request.Context()); err != nil {
		return &problem.Error{Kind: problem.Unavailable, Detail: "the server has just started and is still reading", RetryAfter: time.Second}
	}
	return nil
}

// roadList is a part of the roads, in the order of their ids. Its cursor is the last id, so
// a road that appears meanwhile shifts nothing.
func (s *Server) roadList(roads *network.Roads, in roadsQuery) ([]byte, error) {
	from := 0
	if in.page.After != "" {
		var after traffic.RoadID
		if in.page.After.Parse(&after) != nil {
			return nil, badCursor(in.page.After)
		}
		from = roads.After(after)
	}
	b := []byte(`{"data":[`)
	var last traffic.RoadID
	var next store.Cursor
	n := 0
	for i := from; i < len(roads.List); i++ {
		r := &roads.List[i]
		if in.box != nil && !r.Inside(in.box) {
			continue
		}
		if n == in.page.Limit {
			var err error
			if next, err = store.MakeCursor(last); err != nil {
				return nil, err
			}
			break
		}
		if n > 0 {
			b = append(b, ',')
		}
		b, last, n = s.appendRoad(b, r, in.state), r.ID, n+1
	}
	// A cursor is letters and digits, so it stands in JSON as it is.
	return fmt.Appendf(b, `],"next_cursor":"%s","has_more":%t}`+"\n", next, next != ""), nil
}

// appendRoad adds the road's JSON, with its state where it is wanted. Both are ready-made.
func (s *Server) appendRoad(b []byte, r *network.Road, state string) []byte {
	if state == "none" {
		return append(b, r.JSON...)
	}
	text := []byte("null")
	if _, t, ok := s.parts.Hub.Picture.State(r.ID); ok {
		text = t
	}
	b = append(b, bytes.TrimSuffix(r.JSON, []byte("}"))...)
	b = append(b, `,"state":`...)
	b = append(b, text...)
	return append(b, '}')
}

// stateProperties are the properties that a road's state adds to its feature.
type stateProperties struct {
	At             time.Time     `json:"ts"`
	Speed          traffic.Value `json:"speed_kmh"`
	SpeedEstimated bool          `json:"speed_estimated"`
	Flow           traffic.Value `json:"flow_rate"`
	Occupancy      traffic.Value `json:"occupancy"`
	Score          traffic.Value `json:"congestion_score"`
	ScoreV1        traffic.Value `json:"congestion_score_v1"`
}

// features answers with the roads of a box, or with their states.
func (s *Server) features(c *gin.Context, roads *network.Roads, in roadsQuery) error {
	text, err := s.collection(roads, in)
	if err == nil {
		c.Data(http.StatusOK, mediaGeoJSON, text)
	}
	return err
}

// collection is a FeatureCollection of the roads of a box.
func (s *Server) collection(roads *network.Roads, in roadsQuery) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(beginCollection)
	separator := ""
	for i := range roads.List {
		r := &roads.List[i]
		if in.box != nil && !r.Inside(in.box) {
			continue
		}
		b.WriteString(separator)
		separator = ","
		b.Write(r.Feature)
		if in.state == "latest" {
			if err := s.appendState(&b, r.ID); err != nil {
				return nil, err
			}
		}
		b.WriteString("}}")
	}
	b.WriteString(endCollection)
	return b.Bytes(), nil
}

// appendState adds a road's state to its open feature; nothing when there is none.
func (s *Server) appendState(b *bytes.Buffer, id traffic.RoadID) error {
	state, _, ok := s.parts.Hub.Picture.State(id)
	if !ok {
		return nil
	}
	shown := payload.OfState(&state)
	text, err := json.Marshal(stateProperties{
		At: shown.At, Speed: shown.Speed, SpeedEstimated: shown.SpeedEstimated, Flow: shown.Flow,
		Occupancy: shown.Occupancy, Score: shown.Score, ScoreV1: shown.ScoreV1,
	})
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	b.WriteByte(',')
	b.Write(bytes.Trim(text, "{}"))
	return nil
}

// featureCache keeps the whole network ready to send: every dashboard asks for it, and
// it changes when the city builds a street.
type featureCache struct {
	mu      sync.Mutex // guards everything below
	version string
	text    []byte
}

// get returns the text, made anew when the network changed. Whoever comes meanwhile
// waits for it instead of making the same.
func (f *featureCache) get(roads *network.Roads) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.text != nil && f.version == roads.Version {
		return f.text
	}
	var b bytes.Buffer
	b.WriteString(beginCollection)
	for i := range roads.List {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(roads.List[i].Feature)
		b.WriteString("}}")
	}
	b.WriteString(endCollection)
	f.version, f.text = roads.Version, b.Bytes()
	return f.text
}
