package live

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

// Protocol is the sub-protocol that the server speaks.
const Protocol = "cityflow.v1"

// CloseExpired is the close code for an access token that ran out.
const CloseExpired = 4401

// CloseDismissed is the close code for somebody who was shut out.
const CloseDismissed = 4403

const (
	// maxRequest bounds a client's message.
	maxRequest = 64 << 10
	// compressFrom is the size from which compression pays.
	compressFrom = 1 << 10
	// sendBuffer bounds what the system keeps for a slow client. What waits there gets old,
	// what waits in the picture is replaced.
	sendBuffer = 64 << 10
	// goodbye is how long the close frame may take.
	goodbye = time.Second
	// A client may ask for this many subscriptions a second, and this many at once;
	// each costs a snapshot.
	requestsPerSecond, requestBurst = 2, 10
)

// closing is why a stream ends, on its way from the reader to the writer.
type closing struct {
	code   int
	reason string
}

func (c closing) Error() string { return strconv.Itoa(c.code) + " " + c.reason }

// A client is one stream: a goroutine that reads and one that writes.
type client struct {
	hub  *Hub
	conn *websocket.Conn // nil where it gets server-sent events
	out  sink
	who  auth.Identity
	view view
	news chan struct{} // capacity 1
	// number tells whose turn it is.
	number int
	// gone is closed when the client was shut out, which dismissed remembers.
	gone      chan struct{}
	dismissed bool // guarded by hub.mu

	mu   sync.Mutex
	next *Subscription // asked for and not yet seen by the writer; guarded by mu
}

func newUpgrader(origins []string) websocket.Upgrader {
	return websocket.Upgrader{
		Subprotocols: []string{Protocol}, EnableCompression: true,
		ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &sync.Pool{},
		CheckOrigin: func(r *http.Request) bool { return originAllowed(r, origins) },
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			kind := problem.UpgradeRequired
			if status == http.StatusForbidden {
				kind = problem.Forbidden
			}
			problem.Write(w, r, problem.New(kind, reason.Error()))
		},
	}
}

// originAllowed accepts pages of this server, pages that the operator named, and
// programs, which send no Origin.
func originAllowed(r *http.Request, allowed []string) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(allowed, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// Serve turns a request into a stream of what the subscription covers, which goes on after
// it returned until the client leaves, its token expires or the hub stops. A returned
// problem was not written yet.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, who auth.Identity, sub Subscription) *problem.Error {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		return problem.New(problem.UpgradeRequired, "this address speaks WebSocket only")
	}
	c := &client{hub: h, who: who, news: make(chan struct{}, 1), gone: make(chan struct{})}
	if p := h.enter(c); p != nil {
		return p
	}
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		h.leave(c)
		return nil //nolint:nilerr // the upgrader has answered
	}
	c.conn, c.out = conn, socket{conn}
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a hint
	}
	c.begin(sub)
	// In a goroutine of its own, so that the request, its buffers and the deep stack of its
	// handlers are free again: with thousands of clients they are most of the memory.
	go func() {
		defer h.leave(c)
		c.run(context.Background())
	}()
	return nil
}

// begin makes the first messages due.
func (c *client) begin(sub Subscription) {
	c.view = view{picture: c.hub.Picture, network: c.hub.parts.Network.Current}
	c.view.subscribe(sub)
	c.signal() // the hub may have done so already
}

// enter registers the client, if there is room.
func (h *Hub) enter(c *client) *problem.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.stopped:
		return &problem.Error{Kind: problem.Unavailable, Detail: "the server is stopping", RetryAfter: time.Second}
	case len(h.clients) >= h.cfg.MaxClients:
		return &problem.Error{Kind: problem.Unavailable, Detail: "too many streams are open", RetryAfter: 30 * time.Second}
	case h.perUser[c.who.UserID] >= h.cfg.MaxPerUser:
		return &problem.Error{
			Kind: problem.TooManyRequests, RetryAfter: 30 * time.Second,
			Detail: "you have " + strconv.Itoa(h.cfg.MaxPerUser) + " streams open, which is the most that one user may have",
		}
	}
	h.joined++
	c.number = h.joined
	h.clients[c] = struct{}{}
	h.perUser[c.who.UserID]++
	h.serving.Add(1)
	h.metrics.clients.Inc()
	return nil
}

func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	if h.perUser[c.who.UserID]--; h.perUser[c.who.UserID] <= 0 {
		delete(h.perUser, c.who.UserID)
	}
	h.metrics.clients.Dec()
	h.serving.Done()
}

// turn is how many clients are told at one tick. More take turns, which bounds what a tick
// costs: with two turns each hears of the city half as often and gets the same changes.
const turn = 5000

// tell wakes the clients whose turn it is. News is told for as many ticks as there are
// turns, so that everybody hears of the last.
func (h *Hub) tell(news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	turns := 1 + max(0, len(h.clients)-1)/turn
	if news {
		h.owed = turns
	}
	if h.owed == 0 {
		return
	}
	h.owed--
	h.ticks++
	for c := range h.clients {
		if (c.number+h.ticks)%turns == 0 {
			c.signal()
		}
	}
}

// wake tells all clients that there is something new. It never waits: a client that
// was told and did not look yet will see both.
func (h *Hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		c.signal()
	}
}

func (c *client) signal() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// stop sends the clients away and waits for them. New ones are refused.
func (h *Hub) stop() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	close(h.stopping)
	h.serving.Wait()
}

// run reads in this goroutine and writes in another, and returns when both ended.
func (c *client) run(ctx context.Context) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	release := context.AfterFunc(ctx, func() {
		// A writer that waits for a slow client gets no more time.
		_ = c.conn.NetConn().SetDeadline(time.Now().Add(goodbye))
	})
	defer release()
	var writer sync.WaitGroup
	writer.Go(func() {
		err := c.write(ctx)
		end(err)
		c.goodbye(err)
	})
	end(c.read(ctx))
	writer.Wait()
	c.drain()
	_ = c.conn.Close()
}

// goodbye sends the close frame and counts. The reader ends with the client's answer,
// or when the deadline passes.
func (c *client) goodbye(err error) {
	var why closing
	if errors.As(err, &why) {
		_ = c.conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(why.code, why.reason), time.Now().Add(goodbye))
	}
	c.hub.metrics.closed.WithLabelValues(strconv.Itoa(why.code)).Inc()
}

// drain waits for the client's answer to the close frame. Closing with unread bytes
// would reset the connection, and the client would never see why.
func (c *client) drain() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// read takes the client's requests until the connection ends or one is bad.
func (c *client) read(ctx context.Context) error {
	silence := 3 * c.hub.cfg.HeartbeatEvery
	alive := func() error {
		_ = c.conn.SetReadDeadline(time.Now().Add(silence))
		return ctx.Err() // after the deadline, which run shortens when ctx ends
	}
	c.conn.SetReadLimit(maxRequest)
	c.conn.SetPongHandler(func(string) error { return alive() })
	pace := rate.NewLimiter(requestsPerSecond, requestBurst)
	for {
		if err := alive(); err != nil {
			return err
		}
		sub, err := c.request()
		if err != nil {
			return err
		}
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		c.next = &sub
		c.mu.Unlock()
		c.signal()
	}
}

// request reads the client's next message.
func (c *client) request() (Subscription, error) {
	kind, r, err := c.conn.NextReader()
	if err != nil {
		return Subscription{}, leaving(err)
	}
	if kind != websocket.TextMessage {
		return Subscription{}, closing{websocket.CloseUnsupportedData, "want text messages"}
	}
	// The connection's own limit counts compressed bytes.
	text, err := io.ReadAll(io.LimitReader(r, maxRequest+1))
	switch {
	case err != nil:
		return Subscription{}, leaving(err)
	case len(text) > maxRequest:
		return Subscription{}, leaving(websocket.ErrReadLimit)
	}
	sub, err := parseRequest(text)
	if err != nil {
		return Subscription{}, closing{websocket.ClosePolicyViolation, reason(err)}
	}
	return sub, nil
}

// leaving is what to say to a client whose reading ended with err.
func leaving(err error) error {
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Code != websocket.CloseNoStatusReceived && closed.Code != websocket.CloseAbnormalClosure:
		return closing{websocket.CloseNormalClosure, ""}
	case errors.Is(err, websocket.ErrReadLimit):
		return closing{websocket.CloseMessageTooBig, "want at most 64 KiB"}
	}
	return err
}

// reason fits an error into a close frame.
func reason(err error) string {
	const most = 123 // RFC 6455: 125 bytes with the code
	s := strings.ToValidUTF8(err.Error(), "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// write sends what is new, whenever the client can take it, until the stream ends. It
// returns why.
func (c *client) write(ctx context.Context) error {
	heartbeat := time.NewTicker(c.hub.cfg.HeartbeatEvery)
	defer heartbeat.Stop()
	expiry := time.NewTimer(c.who.Expires.Sub(c.hub.parts.Now()))
	defer expiry.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.hub.stopping:
			return closing{websocket.CloseGoingAway, "the server is stopping"}
		case <-c.gone:
			return closing{CloseDismissed, "the account or key was shut out"}
		case <-expiry.C:
			return closing{CloseExpired, "the access token ran out"}
		case <-heartbeat.C:
			err = c.heartbeat()
		case <-c.news:
			err = c.update()
		}
		if err != nil {
			return err
		}
	}
}

// update sends what changed since the last time.
func (c *client) update() error {
	c.mu.Lock()
	sub := c.next
	c.next = nil
	c.mu.Unlock()
	if sub != nil {
		c.view.subscribe(*sub)
	}
	msgs, err := c.view.next()
	if err != nil {
		c.hub.log.Error("a live message could not be made", "error", err)
		return closing{websocket.CloseInternalServerErr, "internal error"}
	}
	for _, m := range msgs {
		if err := c.send(m); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) send(m message) error {
	c.hub.metrics.messages.WithLabelValues(m.kind).Inc()
	c.hub.metrics.bytes.Add(float64(len(m.text)))
	return c.out.send(m, time.Now().Add(c.hub.cfg.WriteTimeout))
}

// heartbeat tells the client that the server lives and where it stands, and asks
// whether the client does.
func (c *client) heartbeat() error {
	standing := c.view.standing()
	b := []byte(`{"type":"heartbeat","seq":`)
	b = strconv.AppendUint(b, standing, 10)
	b = append(b, `,"data":{"ts":`...)
	b = appendTime(b, c.hub.parts.Now())
	b = append(b, `,"watermark":`...)
	b = appendTime(b, c.hub.Picture.Watermark())
	b = append(b, `,"degraded":`...)
	b = strconv.AppendBool(b, c.hub.Degraded(context.Background()) != nil)
	b = append(b, "}}"...)
	if err := c.send(message{kind: "heartbeat", text: b, seq: standing}); err != nil {
		return err
	}
	return c.out.ping(time.Now().Add(c.hub.cfg.WriteTimeout))
}

// appendTime writes a time as JSON, null for the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
