package security

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

// The single process is a centre for edges elsewhere, too: it invites them, takes their
// readings over its encrypted port, and shuts them out again.
func TestEdgeOfATown(t *testing.T) {
	bin := t.TempDir() + "/"
	if err := system.Build(t.Context(), bin, "./standalone", "./edge/cmd/edge"); err != nil {
		t.Fatal(err)
	}
	server := pkitest.New(t)
	cert, key := server.Server("broker")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	encrypted := ln.Addr().String()
	ln.Close()
	town := system.Start(t, bin+"standalone", t.TempDir(), "--source", "none",
		"--mqtt-tls-addr", encrypted, "--mqtt-tls-cert", cert, "--mqtt-tls-key", key)
	c := &city{t: t, api: town, token: town.Login(t).Token()}

	data := t.TempDir()
	enrol := system.Launch(t, bin+"edge", "enrol", "--data-dir", data, "--centre", town.URL, "--token", c.invite("pi-7"))
	if code := enrol.ExitCode(t); code != 0 {
		t.Fatalf("enrol ended with code %d: %s", code, enrol.Log())
	}
	edge := system.Serve(t, bin+"edge", "--data-dir", data, "--mqtt-addr", "127.0.0.1:0", "--central-url", "tls://"+encrypted,
		"--central-ca", server.CertFile, "--commit-interval", "5ms")
	c.mosquittoPub(edge.MQTT, "cityflow/traffic/loop-7", `{"sensor_id":"loop-7","speed_kmh":31}`)
	system.Eventually(t, "the reading is on the town's map", func() bool {
		return len(system.All[map[string]any](t, town.Login(t), "/api/traffic/live")) == 1
	})

	c.post("/api/edges/pi-7/revoke", "", http.StatusNoContent, nil)
	system.Eventually(t, "the edge is shut out", func() bool {
		return strings.Contains(edge.Readiness(t).Missing["uplink"], "certificate")
	})
}
