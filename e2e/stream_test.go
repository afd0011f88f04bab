package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// A stream is a client of /ws/live.
type stream struct {
	conn *websocket.Conn
}

type liveMessage struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// openStream logs in to the process and opens its live stream until the test's end.
func openStream(t *testing.T, p *system.Process) *stream {
	t.Helper()
	url := strings.Replace(p.URL, "http://", "ws://", 1) + "/ws/live?token=" + p.Login(t).Token()
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	t.Cleanup(func() { conn.Close() })
	return &stream{conn}
}

// next is the next message.
func (s *stream) next(t *testing.T) liveMessage {
	t.Helper()
	var m liveMessage
	if err := s.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := s.conn.ReadJSON(&m); err != nil {
		t.Fatalf("read the live stream: %v", err)
	}
	return m
}

type snapshot struct {
	Roads       []roadState `json:"roads"`
	Predictions []forecast  `json:"predictions"`
	Reroutes    []advice    `json:"reroutes"`
}

func (m liveMessage) snapshot(t *testing.T) snapshot {
	t.Helper()
	var s snapshot
	if err := json.Unmarshal(m.Data, &s); err != nil {
		t.Fatalf("%v in %s", err, m.Data)
	}
	return s
}

// waitFor reads on until the stream says that road has a reading of ts.
func (s *stream) waitFor(t *testing.T, road, ts string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		m := s.next(t)
		var states []roadState
		if m.Type != "traffic_update" {
			continue
		}
		if err := json.Unmarshal(m.Data, &states); err != nil {
			t.Fatalf("%v in %s", err, m.Data)
		}
		if slices.ContainsFunc(states, func(r roadState) bool { return r.Road == road && r.TS == ts }) {
			return
		}
	}
	t.Fatalf("no update of %s for %s came in a minute", road, ts)
}
