package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// TestService runs the program on real servers: a reading goes into PostgreSQL, its
// prediction is announced on Redis and stored.
func TestService(t *testing.T) {
	dsn, url, addr := rig.Postgres(t), rig.Redis(t), freeAddr(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := timescale.Open(ctx, dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	news, err := redis.Open(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = news.Close() }()
	heard, err := news.Subscribe(ctx, bus.TopicPredictions)
	if err != nil {
		t.Fatal(err)
	}

	done := make(chan error, 1)
	serve, stop := context.WithCancel(ctx)
	go func() {
		done <- daemon.Run(serve, command(), []string{"cityflow-predictor", "--database-url", dsn, "--redis-url", url, "--http-addr", addr, "--horizons", "30", "--quiet", "100ms"})
	}()
	at := time.Date(2026, 3, 2, 7, 2, 0, 0, time.UTC)
	r := traffic.Reading{At: at, Sensor: "s", Road: "r", Speed: traffic.Some(45)}
	if _, err := db.Append(ctx, store.Delivery{Readings: []traffic.Reading{r}}); err != nil {
		t.Fatal(err)
	}
	if err := news.Publish(ctx, bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{Reading: r}}}); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-heard:
		// Half of 90 km/h, times 1.15 at 8:05 in Paris.
		if len(e.Predictions) != 1 || e.Predictions[0].Score != 0.575 || e.Predictions[0].HorizonMin != 30 {
			t.Errorf("announced %+v", e.Predictions)
		}
	case err := <-done:
		t.Fatalf("ended: %v", err)
	case <-ctx.Done():
		t.Fatal("no prediction")
	}
	stored, _, err := db.Predictions(ctx, store.PredictionQuery{})
	if err != nil || len(stored) != 1 {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if got := get(t, "http://"+addr+"/metrics"); !strings.Contains(got, "cityflow_predictor_predictions_generated_total 1\n") {
		t.Errorf("metrics do not count the prediction")
	}
	if got := get(t, "http://"+addr+"/readyz"); !strings.Contains(got, "ready") {
		t.Errorf("readiness: %s", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestBadSettings(t *testing.T) {
	for want, args := range map[string][]string{
		"database-url":     {},
		"time zone":        {"--database-url", "postgres://x", "--tz", "Nowhere"},
		"horizon 0 min":    {"--database-url", "postgres://x", "--horizons", "0"},
		"model \"oracle\"": {"--database-url", "postgres://x", "--models", "oracle"},
		"shard 2 of 2":     {"--database-url", "postgres://x", "--shard", "2", "--shards", "2"},
		"training hour 24": {"--database-url", "postgres://x", "--train-hour", "24"},
		"holidays \"DE\"":  {"--database-url", "postgres://x", "--holidays", "DE"},
		"flag provided":    {"--nonsense"},
		"open database":    {"--database-url", "postgres://127.0.0.1:1/x?connect_timeout=1"},
		"quiet -1s and":    {"--database-url", "postgres://x", "--quiet", "-1s"},
		"invalid value \"": {"--database-url", "postgres://x", "--poll", "often"},
	} {
		cmd := command()
		cmd.Writer, cmd.ErrWriter = io.Discard, io.Discard
		err := daemon.Run(t.Context(), cmd, append([]string{"cityflow-predictor"}, args...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want it to say %q", args, err, want)
		}
	}
}

// freeAddr is a port that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
