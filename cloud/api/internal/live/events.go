package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

// A sink is the way to a client. Writes end by the deadline.
type sink interface {
	send(m message, deadline time.Time) error
	// ping asks whether the client lives, where the protocol can.
	ping(deadline time.Time) error
}

// socket is the way of a WebSocket client.
type socket struct{ conn *websocket.Conn }

func (s socket) send(m message, deadline time.Time) error {
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	s.conn.EnableWriteCompression(len(m.text) >= compressFrom)
	if m.prepared != nil {
		return s.conn.WritePreparedMessage(m.prepared)
	}
	return s.conn.WriteMessage(websocket.TextMessage, m.text)
}

func (s socket) ping(deadline time.Time) error {
	return s.conn.WriteControl(websocket.PingMessage, nil, deadline)
}

// events is the way of a client that gets server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes an event. Its id is the seq, with which a browser resumes by itself.
func (e events) send(m message, deadline time.Time) error {
	var head bytes.Buffer
	if m.seq > 0 {
		fmt.Fprintf(&head, "id: %d\n", m.seq)
	}
	fmt.Fprintf(&head, "event: %s\ndata: ", m.kind)
	if err := e.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, part := range [][]byte{head.Bytes(), m.text, []byte("\n\n")} { // JSON has no line feeds
		if _, err := e.w.Write(part); err != nil {
			return err
		}
	}
	return e.control.Flush()
}

func (events) ping(time.Time) error { return nil } // a write to a dead client fails

// Events answers a request with the stream as server-sent events, until the client leaves,
// its token expires, it is shut out or the hub stops. A returned problem was not written yet.
func (h *Hub) Events(w http.ResponseWriter, r *http.Request, who auth.Identity, sub Subscription) *problem.Error {
	c := &client{hub: h, who: who, news: make(chan struct{}, 1), gone: make(chan struct{})}
	if p := h.enter(c); p != nil {
		return p
	}
	defer h.leave(c)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies pass on what comes
	w.WriteHeader(http.StatusOK)
	c.out = events{w, http.NewResponseController(w)}
	c.begin(sub)
	// What the client sends is nothing to us, so writing is all there is.
	c.farewell(c.write(r.Context()))
	return nil
}

// farewell says why the stream ends and counts. Clients that want to go on connect again.
func (c *client) farewell(err error) {
	var why closing
	if errors.As(err, &why) {
		text := []byte(`{"type":"close","data":{"code":` + strconv.Itoa(why.code) + `,"reason":` + strconv.Quote(why.reason) + `}}`)
		_ = c.out.send(message{kind: "close", text: text}, time.Now().Add(goodbye))
	}
	c.hub.metrics.closed.WithLabelValues(strconv.Itoa(why.code)).Inc()
}

// sweepEvery is how often it is asked who may stay.
const sweepEvery = time.Second

// sweep sends away who was shut out.
func (h *Hub) sweep(ctx context.Context) {
	for h.parts.Still != nil && sleep(ctx, sweepEvery) {
		h.mu.Lock()
		for c := range h.clients {
			if !c.dismissed && !h.parts.Still(c.who) {
				c.dismissed = true
				close(c.gone)
			}
		}
		h.mu.Unlock()
	}
}
