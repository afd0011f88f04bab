package edge

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// onSmallDisk is a program that runs another one with a small file system of its own, which
// is gone with it.
func onSmallDisk(t *testing.T, program, folder string, kib int) string {
	t.Helper()
	user := ""
	if os.Geteuid() != 0 {
		user = "--user --map-root-user "
	}
	path := filepath.Join(t.TempDir(), "on-small-disk")
	script := fmt.Sprintf("#!/bin/sh\nexec unshare %s--mount sh -c 'mount -t tmpfs -o size=%dk tmpfs %q && exec %q \"$@\"' sh \"$@\"\n",
		user, kib, folder, program)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// smallDisk, in KiB, has room for the buffer's journal of 2 MiB and little beside.
const smallDisk = 2304

// TestFullDisk fills the edge's disk while the centre is away. The agent must stop to
// acknowledge, lose nothing that it acknowledged, and go on by itself when the centre
// takes the backlog.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := startCentre(t)
	c.broker.Stop(t)
	folder := t.TempDir()
	agent := startEdge(t, onSmallDisk(t, programs+"edge", folder, smallDisk), c.url(), folder)
	sensors, stop := startSensors(t, agent.MQTT, 20, 5*time.Millisecond)
	system.Within(t, 5*time.Minute, "the disk is full", func() bool {
		n := acknowledged(sensors)
		time.Sleep(3 * time.Second) // so long no reading is acknowledged
		return n > 1000 && acknowledged(sensors) == n
	})
	full := acknowledged(sensors)
	if !agent.Running() {
		t.Fatal("the agent has ended on a full disk")
	}
	c.broker.Start(t)
	system.Within(t, 5*time.Minute, "the agent acknowledges again without a restart", func() bool { return acknowledged(sensors) > full+1000 })
	stop()
	c.wantStored(t, agent, sensors)
}
