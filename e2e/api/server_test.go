package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	server "github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// envDatabase makes the test's binary the server over the database that it names.
const envDatabase = "CITYFLOW_BENCH_DATABASE"

const (
	adminEmail, adminPassword = "ada@city.example", "correct horse battery"
	// updatesPerSecond is how many roads change in a second once a stream is open.
	updatesPerSecond = 1000
	roads            = 5000
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envDatabase); path != "" {
		if err := serve(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // as TestMain must
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // as TestMain must
}

// serve runs the API on one port and prints its address, a naive stream on another.
func serve(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	db, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	news := inproc.New()
	defer news.Close()
	cfg := server.Default()
	cfg.TokenKey, cfg.AdminEmail, cfg.AdminPassword = make([]byte, 32), adminEmail, adminPassword
	cfg.PasswordKiB, cfg.AuthPerMinute, cfg.RequestsPerSecond = 64, 1_000_000, 1_000_000
	cfg.MaxStreams = 20_000
	api, err := server.New(cfg, server.Parts{Store: db, Bus: news}, nil, nil)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var moving atomic.Bool
	control, err := serveControl(news, &moving)
	if err != nil {
		return err
	}
	go move(ctx, news, &moving)
	fmt.Printf("%s %s\n", ln.Addr(), control)
	return api.Serve(ctx, ln)
}

// serveControl switches the traffic on and off, and has the naive stream.
func serveControl(news *inproc.Bus, moving *atomic.Bool) (net.Addr, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/move", func(_ http.ResponseWriter, r *http.Request) { moving.Store(r.URL.Query().Get("on") == "1") })
	mux.Handle("/naive", naive{news})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }()
	return ln.Addr(), nil
}

// move tells the bus of updatesPerSecond changed roads, in batches as the collector does.
// What is measured carries the moment of its making, so that clients can tell its age.
func move(ctx context.Context, news *inproc.Bus, moving *atomic.Bool) {
	const batch = 50
	tick := time.NewTicker(batch * time.Second / updatesPerSecond)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !moving.Load() {
			continue
		}
		states := make([]traffic.RoadState, batch)
		for i := range states {
			n = (n + 1009) % roads // a prime step, so that every part of the city moves
			states[i] = state(n, time.Now())
		}
		_ = news.Publish(ctx, bus.Event{Topic: bus.TopicLive, Roads: states})
	}
}

func state(n int, at time.Time) traffic.RoadState {
	id := roadID(n)
	return traffic.RoadState{Reading: traffic.Reading{
		Road: id, Sensor: traffic.SensorID(id), At: at.UTC(), Speed: traffic.Some(float64(n % 90)),
		Flow: traffic.Some(float64(n % 1800)), Occupancy: traffic.Some(float64(n%100) / 100), Score: traffic.Some(float64(n%77) / 77),
	}}
}

func roadID(n int) traffic.RoadID { return traffic.RoadID(fmt.Sprintf("R%04d", n)) }

// naive is the stream as it is often built: each socket subscribes to the bus for itself
// and encodes each change of each of its roads for itself.
type naive struct{ news *inproc.Bus }

func (n naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	var first int
	if _, err := fmt.Sscan(r.URL.Query().Get("first"), &first); err != nil {
		return
	}
	wanted := map[traffic.RoadID]bool{}
	for i := range viewport {
		wanted[roadID((first+i)%roads)] = true
	}
	events, err := n.news.Subscribe(context.Background(), bus.TopicLive)
	if err != nil {
		return
	}
	for e := range events {
		for i := range e.Roads {
			s := &e.Roads[i]
			if !wanted[s.Road] {
				continue
			}
			text, err := json.Marshal(map[string]any{"type": "traffic_update", "data": []any{map[string]any{
				"road_id": s.Road, "sensor_id": s.Sensor, "ts": s.At, "speed_kmh": s.Speed, "flow_rate": s.Flow,
				"occupancy": s.Occupancy, "congestion_score": s.Score,
			}}})
			if err != nil || conn.WriteMessage(websocket.TextMessage, text) != nil {
				return
			}
		}
	}
}
