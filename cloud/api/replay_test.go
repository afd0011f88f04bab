package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// follower is a client as a dashboard is one: it keeps what it was told, loses its
// connection now and then, and resumes.
type follower struct {
	c      *city
	token  string
	query  string
	speeds map[string]float64
	seq    uint64
	resets int
}

// follow reads until done says that it knows enough. Failures are returned, because it
// runs beside the test.
func (f *follower) follow(seed uint64, done func(map[string]float64) bool) error {
	luck := rand.New(rand.NewPCG(seed, 2))
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		path := "/ws/live?channels=traffic_update" + f.query
		if f.seq > 0 {
			path += fmt.Sprintf("&seq=%d", f.seq)
		}
		conn, resp, err := f.c.dial(path, "Authorization", "Bearer "+f.token)
		if err != nil {
			return err
		}
		resp.Body.Close()
		finished, err := f.read(conn, 1+luck.IntN(30), done)
		conn.Close()
		if finished || err != nil {
			return err
		}
	}
	return fmt.Errorf("after a minute it knows %v", f.speeds)
}

// read takes a few messages and loses the connection.
func (f *follower) read(conn *websocket.Conn, most int, done func(map[string]float64) bool) (bool, error) {
	for range most {
		if done(f.speeds) {
			return true, nil
		}
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		_, text, err := conn.ReadMessage()
		if err != nil {
			return false, nil //nolint:nilerr // silence: connect again
		}
		var m liveMessage
		if err := json.Unmarshal(text, &m); err != nil {
			return false, err
		}
		var rs []measured
		switch m.Type {
		case "snapshot":
			var s snapshot
			err = json.Unmarshal(m.Data, &s)
			rs = s.Roads
			clear(f.speeds)
			f.resets++
		case "traffic_update":
			err = json.Unmarshal(m.Data, &rs)
		}
		if err != nil {
			return false, err
		}
		for _, r := range rs {
			f.speeds[r.Road] = *r.Speed
		}
		f.seq = m.Seq
	}
	return done(f.speeds), nil
}

// A replay runs; clients come, go and resume. In the end each knows what the store
// knows, and nobody had to begin anew.
func TestClientsFollowAReplay(t *testing.T) {
	const roads, minutes, clients = 60, 200, 6
	c, token := begunWith(t, func(cfg *api.Config, _ *api.Parts) { cfg.UpdateEvery = 2 * time.Millisecond }, line(roads)...)
	last := func(road int) float64 { return float64((minutes-1)*7%90) + float64(road)/1000 }
	var wg sync.WaitGroup
	followers := make([]*follower, clients)
	for i := range followers {
		f := &follower{c: c, token: token, speeds: map[string]float64{}}
		want := roads
		if i%2 == 1 {
			f.query, want = "&bbox=0.0095,48,0.0195,49", 10 // R0010 to R0019
		}
		followers[i] = f
		wg.Go(func() {
			err := f.follow(uint64(i), func(speeds map[string]float64) bool {
				n := 0
				for r := range roads {
					if speeds[fmt.Sprintf("R%04d", r)] == last(r) {
						n++
					}
				}
				return n == want
			})
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			if len(f.speeds) != want {
				t.Errorf("client %d knows %d roads, want %d", i, len(f.speeds), want)
			}
		})
	}
	luck := rand.New(rand.NewPCG(1, 2))
	for minute := range minutes {
		var batch []traffic.Reading
		for r := range roads {
			id := fmt.Sprintf("R%04d", r)
			if minute == minutes-1 || luck.IntN(3) == 0 {
				batch = append(batch, reading(id, minute, float64(minute*7%90)+float64(r)/1000, 100))
			}
			if luck.IntN(20) == 0 { // late, and of no importance now
				batch = append(batch, reading(id, minute-300, 1, 1))
			}
		}
		luck.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		c.measure(batch...)
	}
	wg.Wait()
	for i, f := range followers {
		if f.resets != 1 {
			t.Errorf("client %d was sent %d snapshots, want the first only", i, f.resets)
		}
	}
}
