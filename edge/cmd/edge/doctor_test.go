package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/edge/internal/doctor"
)

func TestDoctor(t *testing.T) {
	args := []string{"--data-dir", t.TempDir(), "--mqtt-addr", "127.0.0.1:0", "doctor"}
	out, err := edge(t.Context(), t, "", args...)
	if err != nil || !strings.Contains(out, "ok   data folder: ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = edge(t.Context(), t, "", append([]string{"--central-url", "tcp://127.0.0.1:1"}, append(args, "--json")...)...)
	if err == nil || !strings.Contains(err.Error(), "not well") {
		t.Errorf("a box without a centre is well: %v", err)
	}
	var findings []doctor.Finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil || !doctor.Failed(findings) {
		t.Errorf("%v in %s", err, out)
	}
}
