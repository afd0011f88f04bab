package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// network saves a street with a parallel one.
func network(t *testing.T) string {
	t.Helper()
	var roads []traffic.Road
	for _, r := range []struct {
		id, from, to string
		metres       float64
	}{{"in", "x", "a", 300}, {"main", "a", "b", 600}, {"out", "b", "y", 300}, {"up", "a", "c", 200}, {"down", "c", "b", 600}} {
		roads = append(roads, traffic.Road{
			ID: traffic.RoadID(r.id), FromNode: traffic.NodeID(r.from), ToNode: traffic.NodeID(r.to),
			LengthM: traffic.Some(r.metres), FreeFlowKMH: traffic.Some(50),
		})
	}
	path := filepath.Join(t.TempDir(), "town.roads")
	if err := roadnet.Save(path, roadnet.FromRoads(roads)); err != nil {
		t.Fatal(err)
	}
	return path
}

// body is what an address answers, or the error.
func body(url string) string {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(b), " ", err)
}

// The program as an operator starts it, on a real PostgreSQL and a real Redis.
func TestProgram(t *testing.T) {
	dsn, redisURL, ops := rig.Postgres(t), rig.Redis(t), freeAddr(t)
	db, err := timescale.Open(t.Context(), dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	news, err := redis.Open(t.Context(), redisURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer news.Close()
	advice, err := news.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, command(), []string{
			"cityflow-rerouter", "--database-url", dsn, "--redis-url", redisURL, "--roads", network(t), "--http-addr", ops,
			"--poll", "1s", "--log-level", "error",
		})
	}()

	cycle := time.Now().Truncate(5 * time.Minute).UTC()
	_, err = db.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{
		{Sensor: "main", Road: "main", At: cycle.Add(-time.Minute), Speed: traffic.Some(6)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = db.PutPredictions(t.Context(), []traffic.Prediction{
		{At: cycle, Road: "main", HorizonMin: 30, Score: 0.93, Confidence: 0.5, Model: "ewma-lr-v2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.After(30 * time.Second)
	for got := false; !got; {
		select {
		case e := <-advice:
			got = len(e.Reroutes) == 1 && e.Reroutes[0].Alt == "up"
		case err := <-ended:
			t.Fatalf("ended by itself: %v", err)
		case <-deadline:
			t.Fatalf("no advice within 30 s; ready: %s", body("http://"+ops+"/readyz"))
		}
	}
	if got := body("http://" + ops + "/readyz"); !strings.HasPrefix(got, "200") {
		t.Errorf("readyz: %s", got)
	}
	if got := body("http://" + ops + "/metrics"); !strings.Contains(got, "cityflow_rerouter_reroutes_generated_total 1") {
		t.Errorf("metrics lack the advice:\n%s", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `"database-url" not set`},
		{[]string{"--database-url", "postgres://x", "--tz", "Mars/Olympus"}, `tz "Mars/Olympus": want a name such as Europe/Paris`},
		{[]string{"--database-url", "postgres://x", "--threshold", "2"}, "threshold 2: want 0 to 1"},
		{[]string{"--database-url", "postgres://x", "--min-gain", "-1s"}, "min gain -1s"},
		{[]string{"--database-url", "nonsense"}, "nonsense"},
	} {
		err := daemon.Run(t.Context(), command(), append([]string{"cityflow-rerouter", "--log-level", "error"}, c.args...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.args, err, c.want)
		}
	}
}
