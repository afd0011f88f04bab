package rig

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A Relay stands between clients and one server and passes bytes on, until it is
// frozen: then connections stay open and nothing moves, as on a link that died
// without a word.
type Relay struct {
	l net.Listener

	mu     sync.Mutex // guards everything declared below
	thawed *sync.Cond
	frozen bool
	conns  []net.Conn
}

// StartRelay relays to the server at the address to. It ends with the test.
func StartRelay(t testing.TB, to string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{l: l}
	r.thawed = sync.NewCond(&r.mu)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			all.Go(func() { r.copy(in, out) })
			all.Go(func() { r.copy(out, in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.Freeze(false)
		r.Cut()
		all.Wait()
	})
	return r
}

// Addr is where clients connect, host:port.
func (r *Relay) Addr() string { return r.l.Addr().String() }

// Freeze stops or resumes the flow in both directions.
func (r *Relay) Freeze(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = on
	r.thawed.Broadcast()
}

// Cut closes all connections; new ones are taken.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

func (r *Relay) copy(to io.WriteCloser, from io.Reader) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		for r.frozen {
			r.thawed.Wait()
		}
		r.mu.Unlock()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
