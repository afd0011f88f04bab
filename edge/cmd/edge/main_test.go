package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func get(url string) (int, string) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, fmt.Sprint(string(b), errors.Join(err))
}

// The program as a user starts it: a reading arrives at a collector on the edge's own
// broker, readiness and metrics say so, and a signal's context ends it cleanly.
func TestProgram(t *testing.T) {
	mqtt, ops := freeAddr(t), freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, command(), []string{
			"cityflow-edge", "--edge-id", "pi-7", "--data-dir", t.TempDir(), "--mqtt-addr", mqtt,
			"--http-addr", ops, "--commit-interval", "5ms", "--log-level", "error",
		})
	}()
	farend.WaitFor(t, "the program", func() bool { code, _ := get("http://" + ops + "/health"); return code == 200 })
	c := farend.Start(t, mqtt, farend.AckAtOnce)
	p, err := wire.EncodeSensor(traffictest.Readings("s", 10))
	if err != nil {
		t.Fatal(err)
	}
	if token := farend.Dial(t, mqtt, "sensor").Publish(wire.SensorTopicAlt, 1, false, p); !token.WaitTimeout(farend.Patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	farend.WaitFor(t, "10 readings", func() bool { return len(c.Readings()) == 10 })
	if code, body := get("http://" + ops + "/readyz"); code != 200 {
		t.Errorf("readiness: %d %s", code, body)
	}
	_, metrics := get("http://" + ops + "/metrics")
	for _, want := range []string{
		"cityflow_edge_received_readings_total 10", "cityflow_edge_buffer_readings_total 10", "cityflow_edge_uplink_connected 1",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * farend.Patience):
		t.Fatal("the program does not end")
	}
}

func TestBadSettings(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--mqtt-addr", busy.Addr().String()}, busy.Addr().String() + ": another program"},
		{[]string{"--central-url", "http://x"}, `"http://x"`},
		{[]string{"--clock", "sundial"}, `"sundial"`},
		{[]string{"--buffer-mib", "1"}, "max bytes: 1048576"},
		{[]string{"--mqtt-username", "x"}, "mqtt-password"},
		{[]string{"--central-ca", notPEM}, "holds no certificate"},
		{[]string{"--commit-interval", "-1s"}, "commit interval: -1s"},
		{[]string{"--memory-mib", "-1"}, "memory-mib: -1"},
	} {
		args := append([]string{"cityflow-edge", "--data-dir", t.TempDir(), "--mqtt-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--log-level", "error"}, c.args...)
		if err := daemon.Run(t.Context(), command(), args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q in it", c.args, err, c.want)
		}
	}
}

// arm64 is what the edge is built for.
func arm64(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOWORK=off")
	return cmd
}

// deps.txt lists the packages that the program links: a new line in it needs a reason, and
// some may never be there.
func TestDependencies(t *testing.T) {
	out, err := arm64(exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	want, err := os.ReadFile("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != string(want) {
		t.Errorf("the linked packages are not those of deps.txt any more; when that is meant, run:\n" +
			"\tGOOS=linux GOARCH=arm64 CGO_ENABLED=0 GOWORK=off go list -deps -f '{{if not .Standard}}{{.ImportPath}}{{end}}' . > deps.txt")
	}
	for line := range strings.Lines(string(out)) {
		for _, never := range []string{"gin-gonic", "jackc/pgx", "sqlite", "database/sql", "shared/store", "shared/bus", "traffictest", "farend"} {
			if strings.Contains(line, never) {
				t.Errorf("the edge links %s", line)
			}
		}
	}
}
