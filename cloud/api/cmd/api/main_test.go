package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// TestService runs the program on real servers: a reading goes into PostgreSQL, is
// announced on Redis, and arrives at a WebSocket client and in the lists.
func TestService(t *testing.T) {
	dsn, url, ops, public := rig.Postgres(t), rig.Redis(t), freeAddr(t), freeAddr(t)
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

	done := make(chan error, 1)
	serve, stop := context.WithCancel(ctx)
	go func() {
		done <- daemon.Run(serve, command(), []string{
			"cityflow-api", "--database-url", dsn, "--redis-url", url, "--http-addr", ops, "--api-addr", public,
			"--token-key", strings.Repeat("k", 32), "--admin-email", "ada@city.example", "--admin-password", "correct horse",
		})
	}()
	waitReady(ctx, t, "http://"+ops+"/readyz", done)
	token := login(ctx, t, "http://"+public)

	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+public+"/ws/live", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = resp.Body.Close()
	if first := message(t, conn); !strings.HasPrefix(first, `{"type":"snapshot"`) {
		t.Errorf("first message %.200s", first)
	}
	got, err := db.Append(ctx, store.Delivery{Readings: []traffic.Reading{{At: time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC), Sensor: "s", Road: "r", Speed: traffic.Some(45)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := news.Publish(ctx, bus.Event{Topic: bus.TopicLive, Roads: got.Latest}); err != nil {
		t.Fatal(err)
	}
	if update := message(t, conn); !strings.HasPrefix(update, `{"type":"traffic_update"`) || !strings.Contains(update, `"speed_kmh":45`) {
		t.Errorf("update %.300s", update)
	}
	if list := get(ctx, t, "http://"+public+"/api/traffic/live", token); !strings.Contains(list, `"road_id":"r"`) {
		t.Errorf("list %s", list)
	}
	if text := get(ctx, t, "http://"+ops+"/metrics", ""); !strings.Contains(text, "cityflow_api_live_clients 1\n") {
		t.Error("the metrics do not count the client")
	}
	if text := get(ctx, t, "http://"+public+"/metrics", ""); !strings.Contains(text, "unauthorized") {
		t.Errorf("the public address shows metrics: %.200s", text)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestBadSettings(t *testing.T) {
	good := []string{"--database-url", "postgres://127.0.0.1:1/x?connect_timeout=1", "--token-key", strings.Repeat("k", 32)}
	for want, args := range map[string][]string{
		"database-url":  {"--token-key", strings.Repeat("k", 32)},
		"token-key":     {"--database-url", "postgres://x"},
		"5 bytes":       {"--database-url", "postgres://x", "--token-key", "short"},
		"first admin":   append([]string{"--admin-password", "short"}, good...),
		"trusted proxy": append([]string{"--trusted-proxies", "everybody"}, good...),
		"origin":        append([]string{"--origins", "https://a.example,b"}, good...),
		"flag provided": {"--nonsense"},
		"open database": good,
		"rate limits":   append([]string{"--logins-per-minute", "0"}, good...),
		"0 clients":     append([]string{"--max-streams", "0"}, good...),
	} {
		cmd := command()
		cmd.Writer, cmd.ErrWriter = io.Discard, io.Discard
		err := daemon.Run(t.Context(), cmd, append([]string{"cityflow-api"}, args...))
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

func waitReady(ctx context.Context, t *testing.T, url string, done <-chan error) {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-done:
			t.Fatalf("ended: %v", err)
		case <-ctx.Done():
			t.Fatal("not ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// login waits for the first admin, who is created beside the first requests.
func login(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/auth/login", strings.NewReader(`{"email":"ada@city.example","password":"correct horse"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Token string }
		err = json.NewDecoder(resp.Body).Decode(&s)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			return s.Token
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func get(ctx context.Context, t *testing.T, url, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
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

// message is the next one that is no heartbeat.
func message(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), `{"type":"heartbeat"`) {
			return string(text)
		}
	}
}
