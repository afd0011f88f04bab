package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

type liveMessage struct {
	Type string
	Seq  uint64
	Data json.RawMessage
}

type snapshot struct {
	Watermark   *time.Time
	Roads       []measured
	Predictions []forecast
	Reroutes    []detour
}

// A stream is one WebSocket client.
type stream struct {
	t    testing.TB
	conn *websocket.Conn
	seq  uint64
}

// liveSchema is LiveMessage of openapi.yaml.
var liveSchema = sync.OnceValue(func() *base.Schema {
	d, err := libopenapi.NewDocument(documentText())
	if err != nil {
		panic(err)
	}
	m, err := d.BuildV3Model()
	if err != nil {
		panic(err)
	}
	proxy, _ := m.Model.Components.Schemas.Get("LiveMessage")
	return proxy.Schema()
})

func (c *city) dial(path string, headers ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	dialer := websocket.Dialer{EnableCompression: true, HandshakeTimeout: 10 * time.Second}
	return dialer.DialContext(c.t.Context(), "ws"+strings.TrimPrefix(c.url, "http")+path, h)
}

// connect opens a stream.
func (c *city) connect(path, token string) *stream {
	c.t.Helper()
	conn, resp, err := c.dial(path, "Authorization", "Bearer "+token)
	if err != nil {
		c.t.Fatalf("%v %v", err, resp)
	}
	resp.Body.Close()
	c.t.Cleanup(func() { conn.Close() })
	return &stream{t: c.t, conn: conn}
}

// read returns the next message, which is held against the document.
func (s *stream) read() liveMessage {
	s.t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, text, err := s.conn.ReadMessage()
	if err != nil {
		s.t.Fatal(err)
	}
	if ok, errs := schema_validation.NewSchemaValidator().ValidateSchemaString(liveSchema(), string(text)); !ok {
		for _, e := range errs {
			s.t.Errorf("message is not what openapi.yaml says: %s %s\n%.500s", e.Reason, details(e.SchemaValidationErrors), text)
		}
	}
	var m liveMessage
	if err := json.Unmarshal(text, &m); err != nil {
		s.t.Fatal(err)
	}
	if m.Seq < s.seq {
		s.t.Errorf("seq went back from %d to %d", s.seq, m.Seq)
	}
	s.seq = m.Seq
	return m
}

// next returns the next message of a type. Heartbeats may come before it, and before a
// snapshot what the old subscription had under way.
func (s *stream) next(kind string, into any) liveMessage {
	s.t.Helper()
	m := s.read()
	for m.Type == "heartbeat" || kind == "snapshot" && m.Type != kind {
		m = s.read()
	}
	if m.Type != kind {
		s.t.Fatalf("got %s %.300s, want %s", m.Type, m.Data, kind)
	}
	if err := json.Unmarshal(m.Data, into); err != nil {
		s.t.Fatal(err)
	}
	return m
}

// until reads until ok is true of a message.
func (s *stream) until(ok func(liveMessage) bool) {
	s.t.Helper()
	for range 1000 {
		if ok(s.read()) {
			return
		}
	}
	s.t.Fatal("1000 messages and none of them")
}

// await returns the next message of a type, whatever comes before it.
func (s *stream) await(kind string, into any) {
	s.t.Helper()
	s.until(func(m liveMessage) bool {
		return m.Type == kind && json.Unmarshal(m.Data, into) == nil
	})
}

func (s *stream) send(text string) {
	s.t.Helper()
	if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// closed reads to the end and fails the test unless the server gave the code.
func (s *stream) closed(code int, reason string) {
	s.t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		_, _, err := s.conn.ReadMessage()
		if err == nil {
			continue
		}
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code || !strings.Contains(closed.Text, reason) {
			s.t.Errorf("%v, want close code %d with %q", err, code, reason)
		}
		return
	}
}

func TestStreamBeginsWithASnapshotAndTellsChanges(t *testing.T) {
	c, token := begun(t, line(3)...)
	c.measure(reading("R0000", 0, 50, 100))
	c.foresee(forecasts(0, "R0000")...)
	c.eventually("picture", func() bool {
		return len(all[measured](c, "/api/traffic/live?limit=5", token)) == 1 && len(all[forecast](c, "/api/predictions?limit=5", token)) == 3
	})
	s := c.connect("/ws/live", token)
	var first snapshot
	s.next("snapshot", &first)
	if len(first.Roads) != 1 || *first.Roads[0].Speed != 50 || len(first.Predictions) != 1 || first.Predictions[0].Horizon != 30 || len(first.Reroutes) != 0 || !first.Watermark.Equal(noon) {
		t.Errorf("%+v", first)
	}

	c.measure(reading("R0000", 1, 40, 100), reading("R0001", 1, 30, 100))
	s.until(func(m liveMessage) bool {
		var changed []measured
		return m.Type == "traffic_update" && json.Unmarshal(m.Data, &changed) == nil && len(changed) == 2 && *changed[0].Speed == 40 && *changed[1].Speed == 30
	})

	rs := []traffic.Reroute{{At: noon, Route: "R0000", Alt: "R0001", Path: []traffic.RoadID{"R0001"}, Status: traffic.RerouteProposed}}
	c.publish(bus.Event{Topic: bus.TopicReroutes, Reroutes: rs})
	var advice []detour
	s.await("reroutes", &advice)
	if len(advice) != 1 || advice[0].Label != `Rue "0" <é>` {
		t.Errorf("%+v", advice)
	}
	c.publish(bus.Event{Topic: bus.TopicReroutes, Reroutes: []traffic.Reroute{}})
	s.await("reroutes", &advice)
	if len(advice) != 0 {
		t.Errorf("advice that is no longer in force: %+v", advice)
	}

	c.foresee(forecasts(5, "R0000", "R0001")...)
	s.until(func(m liveMessage) bool { // after those of before, where their turn had not come yet
		var ps []forecast
		return m.Type == "predictions" && json.Unmarshal(m.Data, &ps) == nil && len(ps) == 2 && ps[0].Horizon == 30 && ps[1].Horizon == 30
	})
}

func TestNewsOfARoadCoalesce(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.UpdateEvery = 200 * time.Millisecond })
	token := c.admin().Token
	s := c.connect("/ws/live?channels=traffic_update", token)
	var first snapshot
	s.next("snapshot", &first)
	const n = 500
	for i := range n {
		r := reading("r", i, float64(i%90), 100)
		c.publish(bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{Reading: r}}})
	}
	messages := 0
	s.until(func(m liveMessage) bool {
		messages++
		var rs []measured
		if err := json.Unmarshal(m.Data, &rs); err != nil {
			t.Fatal(err)
		}
		return m.Type == "traffic_update" && rs[0].TS.Equal(noon.Add((n-1)*time.Minute))
	})
	if messages > 50 {
		t.Errorf("%d messages for %d changes of one road", messages, n)
	}
}

func TestSubscriptions(t *testing.T) {
	c, token := begun(t, line(10)...)
	for i := range 10 {
		c.measure(reading(fmt.Sprintf("R%04d", i), 0, 50, 100))
	}
	c.eventually("picture", func() bool { return len(all[measured](c, "/api/traffic/live?limit=50", token)) == 10 })
	s := c.connect("/ws/live?bbox=0.0015,48,0.0035,49&channels=traffic_update", token)
	var snap snapshot
	s.next("snapshot", &snap)
	if len(snap.Roads) != 2 || snap.Roads[0].Road != "R0002" || snap.Roads[1].Road != "R0003" {
		t.Errorf("in the box: %+v", snap.Roads)
	}
	c.measure(reading("R0009", 1, 40, 100)) // outside: not told
	c.measure(reading("R0003", 1, 40, 100))
	s.until(func(m liveMessage) bool {
		var changed []measured
		if err := json.Unmarshal(m.Data, &changed); err != nil || m.Type != "traffic_update" {
			t.Errorf("%s %v", m.Type, err)
		}
		for _, r := range changed {
			if r.Road != "R0002" && r.Road != "R0003" {
				t.Errorf("told of %s, which is outside", r.Road)
			}
			if r.Road == "R0003" && *r.Speed == 40 {
				return true
			}
		}
		return false
	})

	s.send(`{"type":"subscribe","bbox":[0.0015,48,0.0035,49],"roads":["R0009"],"channels":["traffic_update"]}`)
	s.next("snapshot", &snap)
	if len(snap.Roads) != 3 {
		t.Errorf("box or list: %+v", snap.Roads)
	}
	s.send(`{"type":"subscribe","roads":[],"channels":["reroutes"]}`)
	s.next("snapshot", &snap)
	if len(snap.Roads) != 0 {
		t.Errorf("no roads: %+v", snap.Roads)
	}
	s.send(`{"type":"subscribe","horizons":[15,60]}`)
	s.next("snapshot", &snap)
	if len(snap.Roads) != 10 {
		t.Errorf("everything: %+v", snap.Roads)
	}
	c.foresee(forecasts(0, "R0001")...)
	var ps []forecast
	s.next("predictions", &ps)
	if len(ps) != 2 || ps[0].Horizon != 15 || ps[1].Horizon != 60 {
		t.Errorf("%+v", ps)
	}
}

func TestResume(t *testing.T) {
	c, token := begun(t, line(3)...)
	s := c.connect("/ws/live", token)
	var snap snapshot
	s.next("snapshot", &snap)
	c.measure(reading("R0000", 0, 50, 100))
	var changed []measured
	at := s.next("traffic_update", &changed).Seq
	s.conn.Close()

	c.measure(reading("R0001", 1, 40, 100))
	c.measure(reading("R0001", 2, 30, 100))
	c.eventually("picture", func() bool {
		rs := all[measured](c, "/api/traffic/live?limit=5", token)
		return len(rs) == 2 && *rs[1].Speed == 30
	})
	again := c.connect(fmt.Sprintf("/ws/live?seq=%d", at), token)
	again.next("traffic_update", &changed)
	if len(changed) != 1 || changed[0].Road != "R0001" || *changed[0].Speed != 30 {
		t.Errorf("after the resume: %+v", changed)
	}
	for _, foreign := range []uint64{0, at - 1<<30&(1<<52-1), at + 1<<20, 1<<53 - 1} {
		other := c.connect(fmt.Sprintf("/ws/live?seq=%d", foreign), token)
		other.next("snapshot", &snap)
		if len(snap.Roads) != 2 {
			t.Errorf("resume from %d: %+v", foreign, snap)
		}
	}
	again.send(fmt.Sprintf(`{"type":"subscribe","seq":%d}`, at))
	again.next("traffic_update", &changed)
}

func TestWaysToBringTheToken(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.Origins = []string{"https://city.example"} })
	token := c.admin().Token
	good := [][]string{
		{"/ws/live", "Authorization", "Bearer " + token},
		{"/ws/live", "Sec-WebSocket-Protocol", "cityflow.v1, bearer." + token},
		{"/ws/live?token=" + token},
		{"/ws/live?token=" + token, "Origin", c.url},
		{"/ws/live?token=" + token, "Origin", "https://city.example"},
	}
	for _, g := range good {
		conn, resp, err := c.dial(g[0], g[1:]...)
		if err != nil {
			t.Errorf("%.60s: %v", g, err)
			continue
		}
		if strings.Contains(strings.Join(g, " "), "cityflow.v1") != (resp.Header.Get("Sec-WebSocket-Protocol") == "cityflow.v1") {
			t.Errorf("protocol %q", resp.Header.Get("Sec-WebSocket-Protocol"))
		}
		conn.Close()
	}
	for status, bad := range map[int][]string{
		401: {"/ws/live?token=abc"},
		403: {"/ws/live?token=" + token, "Origin", "https://mallory.example"},
		400: {"/ws/live?channels=weather&token=" + token},
	} {
		conn, resp, err := c.dial(bad[0], bad[1:]...)
		if err == nil {
			conn.Close()
			t.Errorf("%.60s was let in", bad)
			continue
		}
		if resp == nil || resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.60s: %v %v", bad, err, resp)
		}
	}
	c.get("/ws/live", token).problem(426, "upgrade-required")
	if strings.Contains(c.logs.String(), token[:40]) {
		t.Error("a token is in the log")
	}
}

func TestBadMessagesEndTheStream(t *testing.T) {
	c := start(t)
	token := c.admin().Token
	for text, says := range map[string]string{
		`hello`:                                  "JSON object",
		`{"type":"shout"}`:                       `type: "shout" is not allowed: want "subscribe"`,
		`{"type":"subscribe","bbox":[1,2,3]}`:    "bbox: 3 numbers is not allowed: want 4",
		`{"type":"subscribe","bbox":[3,2,1,4]}`:  "bbox: 3,2,1,4",
		`{"type":"subscribe","channels":["x"]}`:  `channels: "x"`,
		`{"type":"subscribe","horizons":[9999]}`: "horizons: 9999",
		`{"type":"subscribe","roads":"R1"}`:      "field roads is a string",
		`{"type":"subscribe","color":1}`:         `unknown field "color"`,
		`{"type":"subscribe"} {}`:                "more than one",
		`{"type":"subscribe","roads":["` + strings.Repeat(`a","`, 5001) + `b"]}`: "roads: 5002 ids",
	} {
		s := c.connect("/ws/live", token)
		s.send(text)
		s.closed(websocket.ClosePolicyViolation, says)
	}
	s := c.connect("/ws/live", token)
	if err := s.conn.WriteMessage(websocket.BinaryMessage, []byte("x")); err != nil {
		t.Fatal(err)
	}
	s.closed(websocket.CloseUnsupportedData, "text")
	s = c.connect("/ws/live", token)
	_ = s.conn.WriteMessage(websocket.TextMessage, make([]byte, 70_000))
	s.closed(websocket.CloseMessageTooBig, "")
}

func TestStreamEndsWithItsToken(t *testing.T) {
	c := start(t)
	key := []byte("0123456789abcdef0123456789abcdef")
	c.admin()
	soon := time.Now().Add(2 * time.Second)
	token := forge("HS256", key, map[string]any{
		"iss": "cityflow", "aud": "cityflow-api", "sub": "1", "role": "viewer", "iat": time.Now().Unix(), "exp": soon.Unix(),
	})
	s := c.connect("/ws/live", token)
	s.closed(4401, "ran out")
}

func TestStopSendsStreamsAway(t *testing.T) {
	c := start(t)
	s := c.connect("/ws/live", c.admin().Token)
	var snap snapshot
	s.next("snapshot", &snap)
	go c.stop()
	s.closed(websocket.CloseGoingAway, "stopping")
	c.stop()
}

func TestTooManyStreams(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.MaxStreams = 2 })
	token := c.admin().Token
	s := c.connect("/ws/live", token)
	c.connect("/ws/live", token)
	_, resp, err := c.dial("/ws/live?token=" + token)
	if err == nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("third of two streams: %v %v", err, resp)
	}
	s.conn.Close()
	c.eventually("room", func() bool {
		conn, _, err := c.dial("/ws/live?token=" + token)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// A client that does not read gets no queue: what it missed arrives as one step.
func TestSlowClientGetsFewerSteps(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.UpdateEvery = time.Millisecond })
	token := c.admin().Token
	slow := c.connect("/ws/live?channels=traffic_update", token)
	fast := c.connect("/ws/live?channels=traffic_update", token)
	const roads, rounds = 400, 300
	last := noon.Add((rounds - 1) * time.Minute)
	for i := range rounds {
		var states []traffic.RoadState
		for r := range roads {
			states = append(states, traffic.RoadState{Reading: reading(fmt.Sprintf("road-%04d", r), i, float64(i%90), float64(r))})
		}
		c.publish(bus.Event{Topic: bus.TopicLive, Roads: states})
	}
	read := func(s *stream) (messages int) {
		known := map[string]time.Time{}
		s.until(func(m liveMessage) bool {
			messages++
			var rs []measured
			var snap snapshot
			var err error
			switch m.Type {
			case "snapshot":
				err = json.Unmarshal(m.Data, &snap)
				rs = snap.Roads
			case "traffic_update":
				err = json.Unmarshal(m.Data, &rs)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				known[r.Road] = r.TS
			}
			if len(known) < roads {
				return false
			}
			for _, at := range known {
				if !at.Equal(last) {
					return false
				}
			}
			return true
		})
		return messages
	}
	read(fast)
	if n := read(slow); n > rounds {
		t.Errorf("the slow client got %d messages", n)
	}
}
