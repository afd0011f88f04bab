package api

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	clients, perUser = 10_000, 100
	// viewport is how many roads each client follows.
	viewport = 100
	// settle and watch are how long the clients follow unmeasured and measured.
	settle, watch = 5 * time.Second, 20 * time.Second
)

// A crowd is many clients; it counts how old each road's news is when it arrives.
type crowd struct {
	conns    []*websocket.Conn
	measured atomic.Bool
	ages     [60_000]atomic.Int64 // by milliseconds
	reading  sync.WaitGroup
}

func benchStreams(b *testing.B, path string) {
	ours, memory, cpu, _ := follow(b, path, func(p *process, token string, n int) (string, http.Header) {
		first := float64(n*37%(roads-viewport)) / 1000
		return fmt.Sprintf("%s/ws/live?channels=traffic_update&bbox=%g,48,%g,49", p.url, first, first+viewport/1000.), http.Header{"Authorization": {"Bearer " + token}}
	})
	report("ws_10k_clients_p99_ms", ours, "ms")
	report("ws_kib_per_client", memory, "KiB")
	report("ws_cpu_s", cpu, "s")
	theirs, memory, cpu, got := follow(b, path, func(p *process, _ string, n int) (string, http.Header) {
		return fmt.Sprintf("%s/naive?first=%d", p.control, n*37%(roads-viewport)), nil
	})
	report("ws_naive_p99_ms", theirs, "ms")
	report("ws_naive_kib_per_client", memory, "KiB")
	report("ws_naive_cpu_s", cpu, "s")
	report("ws_naive_delivered_share", got/(updatesPerSecond*watch.Seconds()*clients*viewport/roads), "")
	report("ws_vs_naive", theirs/ours, "times")
}

// follow connects the crowd, lets the city move, and returns the 99th percentile of the
// age of the news in ms, the server's memory for each client in KiB, the processor time
// that it took, and how much news arrived.
func follow(b *testing.B, path string, where func(*process, string, int) (string, http.Header)) (p99, kib, cpu, got float64) {
	b.Helper()
	p := start(b, path)
	defer p.stop()
	var tokens []string
	for i := range clients / perUser {
		token, err := p.session("register", fmt.Sprintf("u%d@city.example", i), "ten letters at least")
		if err != nil {
			if token, err = p.session("login", fmt.Sprintf("u%d@city.example", i), "ten letters at least"); err != nil {
				b.Fatal(err)
			}
		}
		tokens = append(tokens, token)
	}
	before := p.status(b, "VmRSS")
	c := &crowd{}
	c.connect(b, func(n int) (string, http.Header) { return where(p, tokens[n/perUser], n) })
	p.move(b, 1)
	time.Sleep(settle)
	spent := p.cpu(b)
	c.measured.Store(true)
	time.Sleep(watch)
	c.measured.Store(false)
	cpu, kib = p.cpu(b)-spent, (p.status(b, "VmRSS")-before)/clients
	p.move(b, 0)
	for _, conn := range c.conns {
		conn.Close()
	}
	c.reading.Wait()
	p99, got = c.percentile(0.99)
	return p99, kib, cpu, got
}

// connect dials, a few at a time.
func (c *crowd) connect(b *testing.B, where func(int) (string, http.Header)) {
	b.Helper()
	c.conns = make([]*websocket.Conn, clients)
	dialer := websocket.Dialer{ReadBufferSize: 2 << 10, WriteBufferPool: &sync.Pool{}, WriteBufferSize: 1 << 10, HandshakeTimeout: time.Minute}
	var dialing sync.WaitGroup
	var failed atomic.Int64
	for worker := range 16 {
		dialing.Go(func() {
			for n := worker; n < clients; n += 16 {
				url, header := where(n)
				conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(url, "http"), header)
				if err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, n, err, resp)
					return
				}
				c.conns[n] = conn
				c.reading.Go(func() { c.read(conn) })
			}
		})
	}
	dialing.Wait()
	if failed.Load() > 0 {
		b.Fatalf("%d clients could not connect", failed.Load())
	}
}

// read notes the age of what arrives until the connection ends.
func (c *crowd) read(conn *websocket.Conn) {
	var text bytes.Buffer
	for {
		_, r, err := conn.NextReader()
		if err != nil {
			return
		}
		text.Reset()
		if _, err := text.ReadFrom(r); err != nil {
			return
		}
		if c.measured.Load() && bytes.HasPrefix(text.Bytes(), []byte(`{"`)) && bytes.Contains(text.Bytes(), []byte(`"traffic_update"`)) {
			c.note(text.Bytes())
		}
	}
}

func (c *crowd) note(text []byte) {
	const mark = `"ts":"`
	now := time.Now()
	for {
		_, rest, ok := bytes.Cut(text, []byte(mark))
		if !ok {
			return
		}
		end := bytes.IndexByte(rest, '"')
		if at, err := time.Parse(time.RFC3339Nano, string(rest[:end])); err == nil {
			age := min(max(now.Sub(at).Milliseconds(), 0), int64(len(c.ages))-1)
			c.ages[age].Add(1)
		}
		text = rest[end:]
	}
}

// percentile is the age that this share of the news did not exceed, and how much there was.
func (c *crowd) percentile(share float64) (ms, total float64) {
	for i := range c.ages {
		total += float64(c.ages[i].Load())
	}
	seen := 0.0
	for i := range c.ages {
		if seen += float64(c.ages[i].Load()); seen >= share*total {
			return float64(i), total
		}
	}
	return 0, total
}

// cpu is the processor time that the server has taken, in seconds.
func (p *process) cpu(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var user, system float64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return (user + system) / 100
}
