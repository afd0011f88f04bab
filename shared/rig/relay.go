package rig

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A Relay stands between clients and one server and passes bytes on, until it is
// frozen: then connections stay open and nothing moves, as on a link that died
// without a word.
type Relay struct {
	l net.Listener

	mu     sync.Mutex // guards everything declared below
	thawed *sync.Cond
	frozen bool
	// rate is in bytes per second and direction, 0 without a limit.
	rate  int
	conns []net.Conn
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
			for _, c := range []net.Conn{in, out} {
				_ = c.(*net.TCPConn).SetReadBuffer(queued)
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

// Limit slows each direction of each connection down to so many bytes per second; 0 ends
// that. About 64 KiB are on their way besides, as in the queues of a modem.
func (r *Relay) Limit(rate int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = rate
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
		n, err := from.Read(buf[:r.chunk(len(buf))])
		time.Sleep(r.takes(n))
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

const (
	// queued is the size of a connection's buffer on our side.
	queued = 32 << 10
	// A limited connection moves for slice at a time, so that it is slow and not
	// jerky.
	slice = 20 * time.Millisecond
)

// chunk is how much may be read at once.
func (r *Relay) chunk(most int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rate == 0 {
		return most
	}
	return min(most, max(1, int(int64(r.rate)*int64(slice)/int64(time.Second))))
}

// takes waits while the relay is frozen and returns how long n bytes take.
func (r *Relay) takes(n int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.frozen {
		r.thawed.Wait()
	}
	if r.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(r.rate)
}
