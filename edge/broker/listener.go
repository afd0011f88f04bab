package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listen opens the broker's port; its error says what to do about it.
func listen(addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen for MQTT on %s: another program, perhaps another broker, has this port: stop it, or give CityFlow another MQTT address: %w", addr, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen for MQTT on %s: this machine does not have that address: give one of its own, or 0.0.0.0 for all: %w", addr, err)
	case err != nil:
		return nil, fmt.Errorf("listen for MQTT on %s: %w", addr, err)
	}
	return ln, nil
}

// A port is the mochi listener that serves a net.Listener. Unlike mochi's own it
// contains a panic to its connection, bounds the connections, gives each
// deadlines, and leaves none open behind Close.
type port struct {
	id      string
	ln      net.Listener
	b       *Broker
	log     *slog.Logger
	serving sync.WaitGroup

	mu     sync.Mutex
	conns  map[*conn]struct{} // guarded by mu
	closed bool               // guarded by mu
}

var _ listeners.Listener = (*port)(nil)

func (p *port) Init(*slog.Logger) error { return nil }
func (p *port) ID() string              { return p.id }
func (p *port) Address() string         { return p.ln.Addr().String() }
func (p *port) Protocol() string        { return "tcp" }

// Serve accepts connections until the listener is closed.
func (p *port) Serve(establish listeners.EstablishFn) {
	if !p.begin() {
		return
	}
	defer p.serving.Done()
	for {
		raw, err := p.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, most likely: some will be freed
			p.log.Warn("cannot accept a connection", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		c := &conn{Conn: raw, b: p.b, writeTimeout: p.b.cfg.WriteTimeout, local: sameMachine(raw)}
		if !p.add(c) {
			_ = c.Close()
			continue
		}
		go p.serve(c, establish)
	}
}

func (p *port) serve(c *conn, establish listeners.EstablishFn) {
	defer p.serving.Done()
	defer p.remove(c)
	defer func() {
		if r := recover(); r != nil {
			p.b.met.panics.Inc()
			p.log.Error("a packet broke its connection", "remote", c.RemoteAddr().String(), "panic", r, "stack", string(debug.Stack()))
			p.b.forget(c)
		}
	}()
	_ = c.SetReadDeadline(time.Now().Add(p.b.cfg.ConnectTimeout))
	if err := establish(p.ID(), c); err != nil {
		p.log.Debug("connection ended", "remote", c.RemoteAddr().String(), "reason", err)
	}
}

func (p *port) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.serving.Add(1)
	return true
}

func (p *port) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if len(p.conns) >= p.b.cfg.MaxClients {
		p.b.met.refused.WithLabelValues("too_many").Inc()
		return false
	}
	p.conns[c] = struct{}{}
	p.serving.Add(1)
	return true
}

func (p *port) remove(c *conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// Close says goodbye to the clients, closes all connections and returns when nothing
// is served any more.
func (p *port) Close(farewell listeners.CloseFn) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.ln.Close()
	farewell(p.ID())
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.serving.Wait()
}
