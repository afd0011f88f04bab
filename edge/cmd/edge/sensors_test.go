package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/pki/pkitest"
)

// edge runs the program with a password on standard input and returns what it prints.
func edge(ctx context.Context, t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd, out := command(), &bytes.Buffer{}
	cmd.Reader, cmd.Writer = strings.NewReader(stdin), out
	err := daemon.Run(ctx, cmd, append([]string{"cityflow-edge"}, args...))
	return out.String(), err
}

func TestSettingsOfTheBroker(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--mqtt-addr", ":0"}, `mqtt-addr: ":0" is not allowed: other machines reach it`},
		{[]string{"--mqtt-addr", "0.0.0.0:0"}, "mqtt-users, or mqtt-username"},
		{[]string{"--mqtt-tls-addr", ":0"}, `mqtt-tls-addr: ":0"`},
		{[]string{"--mqtt-tls-addr", "127.0.0.1:0"}, "want a certificate's file"},
		{[]string{"--mqtt-users", "/nowhere/users"}, "/nowhere/users"},
		{[]string{"--mqtt-client-role", "king", "--mqtt-tls-addr", "127.0.0.1:0"}, `"king"`},
		{[]string{"--mqtt-max-waiting", "70000"}, "mqtt-max-waiting: 70000"},
		{[]string{"--mqtt-max-packet-kib", "0"}, "mqtt-max-packet-kib: 0"},
		{[]string{"--mqtt-max-clients", "0"}, "max clients: 0"},
		{[]string{"--mqtt-session-expiry", "0s"}, "session expiry: 0"},
		{[]string{"--mqtt-connect-timeout", "-1s"}, "connect timeout: -1000000000"},
	} {
		args := append([]string{"--data-dir", t.TempDir(), "--mqtt-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--log-level", "error"}, c.args...)
		if _, err := edge(t.Context(), t, "", args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q in it", c.args, err, c.want)
		}
	}
}

// A sensor that a user was made for publishes over TLS, and nowhere else than it may.
func TestSensorOverTLS(t *testing.T) {
	data, ca := t.TempDir(), pkitest.New(t)
	cert, key := ca.Server("edge")
	out, err := edge(t.Context(), t, "correct horse\n", "user", "add", "--data-dir", data, "--role", "sensor", "loop-7")
	if err != nil || !strings.Contains(out, "loop-7 is in "+filepath.Join(data, "users.yaml")) {
		t.Fatalf("user add: %s %v", out, err)
	}
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := edge(ctx, t, "", "--edge-id", "pi-7", "--data-dir", data, "--mqtt-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--log-level", "error",
			"--commit-interval", "5ms", "--mqtt-users", filepath.Join(data, "users.yaml"), "--mqtt-tls-addr", addr, "--mqtt-tls-cert", cert, "--mqtt-tls-key", key)
		ended <- err
	}()
	connect := func(password string) mqtt.Client {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tls://" + addr).SetClientID("loop-7").SetUsername("loop-7").SetPassword(password).
			SetTLSConfig(&tls.Config{RootCAs: ca.Pool()}).SetAutoReconnect(false).SetConnectRetry(false))
		token := client.Connect()
		if !token.WaitTimeout(farend.Patience) || token.Error() != nil {
			return nil
		}
		return client
	}
	var sensor mqtt.Client
	farend.WaitFor(t, "the sensor's connection", func() bool { sensor = connect("correct horse"); return sensor != nil })
	token := sensor.Publish("cityflow/traffic/loop-7", 1, false, `{"sensor_id":"loop-7","speed_kmh":31}`)
	if !token.WaitTimeout(farend.Patience) || token.Error() != nil {
		t.Errorf("publish: %v", token.Error())
	}
	sensor.Disconnect(0)
	if connect("incorrect") != nil {
		t.Error("a wrong password is good enough")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUserAddRefuses(t *testing.T) {
	data := t.TempDir()
	for want, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"want one name":       {"correct horse", nil},
		"password: empty":     {"\n", []string{"a"}},
		"password: 3 bytes":   {"abc", []string{"a"}},
		`role of a: "king"`:   {"correct horse", []string{"--role", "king", "a"}},
		`topic filter of a: `: {"correct horse", []string{"--publish", "a#", "a"}},
	} {
		args := append([]string{"user", "add", "--data-dir", data}, c.args...)
		if _, err := edge(t.Context(), t, c.stdin, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q in it", c.args, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "users.yaml")); err == nil {
		t.Error("a file was written")
	}
	if _, err := edge(t.Context(), t, "", "user", "add", "--data-dir", data, "--no-password", "--role", "gateway", "a"); err != nil {
		t.Error(err)
	}
}
