package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Redis starts a Redis server for t and returns its URL, redis://host:port/0.
func Redis(t testing.TB) string {
	t.Helper()
	return "redis://" + StartRedis(t).Addr() + "/0"
}

// StartRedis starts a Redis server for t that keeps nothing on disk.
func StartRedis(t testing.TB) *Server {
	t.Helper()
	return start(t, command{
		name:  "redis",
		path:  program(t, "redis-server", "redis-server", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"),
		ready: "Ready to accept connections",
		stop:  syscall.SIGTERM,
		arguments: func(folder, port string) ([]string, error) {
			return []string{
				"--port", port, "--bind", "127.0.0.1", "--dir", folder,
				"--save", "", "--appendonly", "no", "--daemonize", "no",
			}, nil
		},
	})
}

// Mosquitto starts a Mosquitto broker for t and returns its host:port. It takes
// clients without a name and keeps its sessions over a restart.
func Mosquitto(t testing.TB) string {
	t.Helper()
	return StartMosquitto(t).Addr()
}

// StartMosquitto is Mosquitto with further lines for its configuration file.
func StartMosquitto(t testing.TB, lines ...string) *Server {
	t.Helper()
	return start(t, command{
		name:  "mosquitto",
		path:  program(t, "mosquitto", "mosquitto", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"),
		ready: " running",
		stop:  syscall.SIGTERM,
		arguments: func(folder, port string) ([]string, error) {
			path := filepath.Join(folder, "mosquitto.conf")
			conf := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nlog_dest stderr\n",
				port, folder)
			conf += strings.Join(lines, "\n") + "\n"
			return []string{"-c", path}, os.WriteFile(path, []byte(conf), 0o644)
		},
	})
}
