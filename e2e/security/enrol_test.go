package security

import (
	"bytes"
	"encoding/json"
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

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
	"github.com/2zrhun/city-flow/shared/rig"
)

// A city is a centre whose central broker is Mosquitto with TLS.
type city struct {
	t         *testing.T
	bin       string // of the binaries, with a separator at its end
	certs     string // what Mosquitto reads
	api       *system.Process
	mosquitto *rig.Server
	tls       string // host:port that edges connect to
	token     string // of an admin
}

func TestEnrolDeliverRevoke(t *testing.T) {
	c := startCity(t)
	data := t.TempDir()
	enrol := system.Launch(t, c.bin+"edge", "enrol", "--data-dir", data, "--centre", c.api.URL, "--token", c.invite("pi-7"))
	if code := enrol.ExitCode(t); code != 0 || !strings.Contains(enrol.Output(), "enrolled as pi-7") {
		t.Fatalf("enrol ended with code %d: %s", code, enrol.Log())
	}
	edge := system.Serve(t, c.bin+"edge", "--data-dir", data, "--mqtt-addr", "127.0.0.1:0",
		"--central-url", "tls://"+c.tls, "--commit-interval", "5ms")
	system.Eventually(t, "the edge is connected", func() bool { return edge.Readiness(t).Complete() })

	c.mosquittoPub(edge.MQTT, "cityflow/traffic/loop-7", `{"sensor_id":"loop-7","speed_kmh":31}`)
	system.Eventually(t, "the reading is stored and forgotten", func() bool {
		return c.stored() == 1 && edge.Metric(t, "cityflow_edge_buffer_batches") == 0
	})

	// Beside the running edge its doctor finds all well, and the page shows the certificate.
	doctor := system.Launch(t, c.bin+"edge", "doctor", "--data-dir", data, "--mqtt-addr", edge.MQTT, "--central-url", "tls://"+c.tls)
	if code := doctor.ExitCode(t); code != 0 || !strings.Contains(doctor.Output(), "ok   collector: answers after ") {
		t.Errorf("the doctor ended with code %d: %s", code, doctor.Log())
	}
	if page := c.fetch(edge.URL + "/"); !strings.Contains(page, "days left") || !strings.Contains(page, "loop-7") {
		t.Errorf("the page: %s", page)
	}

	identity := filepath.Join(data, "identity", "identity.pem")
	as := []string{"--cafile", filepath.Join(c.certs, "edge-ca.crt"), "--cert", identity, "--key", identity}
	if out := c.try(append(as, "-t", "cityflow/edge/pi-7/x")...); out != "" {
		t.Errorf("an edge may not publish on its own topic: %s", out)
	}
	for _, foreign := range []string{"cityflow/edge/pi-8/batch", "cityflow/traffic/loop-7"} {
		if out := c.try(append(as, "-t", foreign)...); !strings.Contains(out, "Not authorized") {
			t.Errorf("an edge may publish on %s: %q", foreign, out)
		}
	}
	if out := c.try("--cafile", filepath.Join(c.certs, "edge-ca.crt"), "-t", "x"); out == "" {
		t.Error("who has no certificate gets in")
	}
	if out := c.try(append([]string{"-u", "pi-8", "-P", "x"}, append(as, "-t", "cityflow/edge/pi-8/x")...)...); !strings.Contains(out, "Not authorized") {
		t.Errorf("an edge may call itself another: %q", out)
	}

	c.post("/api/edges/pi-7/revoke", "", http.StatusNoContent, nil)
	c.fetchRevocations()
	c.mosquitto.Reload(t)
	system.Eventually(t, "the revoked certificate is refused", func() bool {
		return c.try(append(as, "-t", "cityflow/edge/pi-7/x")...) != ""
	})
	c.mosquitto.Stop(t) // what was connected is not any more
	c.mosquitto.Start(t)
	system.Eventually(t, "the edge says why it is not connected", func() bool {
		return strings.Contains(edge.Readiness(t).Missing["uplink"], "revoked")
	})
}

func startCity(t *testing.T) *city {
	t.Helper()
	c := &city{t: t, bin: t.TempDir() + string(filepath.Separator)}
	if err := system.Build(t.Context(), c.bin, "./edge/cmd/edge", "./cloud/collector/cmd/collector", "./cloud/api/cmd/api"); err != nil {
		t.Fatal(err)
	}
	c.makeCertificates()
	dsn := rig.Postgres(t)
	redis := rig.Redis(t)
	c.api = system.Serve(t, c.bin+"api", "--database-url", dsn, "--redis-url", redis, "--api-addr", "127.0.0.1:0",
		"--token-key", strings.Repeat("k", 32), "--edge-ca-cert", filepath.Join(c.certs, "edge-ca.crt"), "--edge-ca-key", filepath.Join(c.certs, "edge-ca.key"))
	c.fetchRevocations()
	c.startMosquitto()
	system.Serve(t, c.bin+"collector", "--database-url", dsn, "--redis-url", redis, "--broker-url", "tcp://"+c.mosquitto.Addr())
	c.login()
	return c
}

// login waits for the first admin, which the API makes once it serves.
func (c *city) login() {
	c.t.Helper()
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, system.AdminEmail, system.AdminPassword)
	system.Eventually(c.t, "the first admin can log in", func() bool {
		time.Sleep(200 * time.Millisecond) // logins are limited
		resp, err := http.Post(c.api.URL+"/api/auth/login", "application/json", strings.NewReader(body))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var out struct{ Token string }
		err = json.NewDecoder(resp.Body).Decode(&out)
		c.token = out.Token
		return err == nil && c.token != ""
	})
}

// makeCertificates makes the files in a folder that Mosquitto's user may read.
func (c *city) makeCertificates() {
	c.t.Helper()
	dir, err := os.MkdirTemp("", "cityflow-certs-")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { os.RemoveAll(dir) })
	ca := pkitest.New(c.t)
	cert, key := ca.Server("broker")
	for name, from := range map[string]string{"edge-ca.crt": ca.CertFile, "edge-ca.key": ca.KeyFile, "broker.crt": cert, "broker.key": key} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	c.certs = dir
}

// startMosquitto starts it as docs/security.md says; the listener for this machine is
// the rig's.
func (c *city) startMosquitto() {
	c.t.Helper()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		c.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.tls = ln.Addr().String()
	_, port, _ := net.SplitHostPort(c.tls)
	ln.Close()
	_, conf, found := strings.Cut(block(c.t, string(text), "conf"), "# Edges, from everywhere.\nlistener 8883\n")
	if !found {
		c.t.Fatal("docs/security.md has no listener for edges")
	}
	if err := os.WriteFile(filepath.Join(c.certs, "acl"), []byte(block(c.t, string(text), "acl")), 0o644); err != nil {
		c.t.Fatal(err)
	}
	conf = "listener " + port + " 127.0.0.1\n" + strings.ReplaceAll(conf, "/etc/mosquitto/cityflow", c.certs)
	c.mosquitto = rig.StartMosquitto(c.t, conf)
}

// block is the first code block of a kind.
func block(t *testing.T, text, kind string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "```"+kind+"\n")
	out, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("docs/security.md has no %s", kind)
	}
	return out
}

// fetchRevocations does what the script in docs/security.md does.
func (c *city) fetchRevocations() {
	c.t.Helper()
	resp, err := http.Get(c.api.URL + "/api/edges/crl")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	path := filepath.Join(c.certs, "edge-ca.crl")
	cmd := exec.CommandContext(c.t.Context(), "openssl", "crl", "-inform", "DER", "-out", path+".new")
	cmd.Stdin = resp.Body
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("openssl crl: %v %s", err, out)
	}
	if err := os.Rename(path+".new", path); err != nil {
		c.t.Fatal(err)
	}
}

func (c *city) fetch(url string) string {
	c.t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

func (c *city) invite(edge string) string {
	c.t.Helper()
	var out struct{ Token string }
	c.post("/api/edges", fmt.Sprintf(`{"edge_id":%q}`, edge), http.StatusCreated, &out)
	return out.Token
}

func (c *city) post(path, body string, want int, out any) {
	c.t.Helper()
	c.call(http.MethodPost, path, body, want, out)
}

func (c *city) call(method, path, body string, want int, out any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.api.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		c.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, text, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(text, out); err != nil {
		c.t.Fatal(err)
	}
}

// stored is how many readings of the sensor the API knows.
func (c *city) stored() int {
	c.t.Helper()
	var out struct{ Data []any }
	c.call(http.MethodGet, "/api/traffic/live?road_id=loop-7", "", http.StatusOK, &out)
	return len(out.Data)
}

// mosquittoPub publishes at QoS 1, which must work.
func (c *city) mosquittoPub(addr, topic, payload string) {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	if out, err := exec.CommandContext(c.t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-t", topic, "-m", payload).CombinedOutput(); err != nil {
		c.t.Fatalf("mosquitto_pub: %v %s", err, out)
	}
}

// try publishes at QoS 1 to the edges' listener and returns what went wrong; only MQTT 5
// tells a publisher that it may not.
func (c *city) try(args ...string) string {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(c.tls)
	all := append([]string{"-V", "mqttv5", "-h", host, "-p", port, "-q", "1", "-m", "x"}, args...)
	out, err := exec.CommandContext(c.t.Context(), "mosquitto_pub", all...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return string(out)
}
