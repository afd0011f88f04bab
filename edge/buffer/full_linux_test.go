package buffer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// inNamespace tells the test binary that it runs again where it may mount.
const inNamespace = "CITYFLOW_TEST_MAY_MOUNT"

// smallDisk mounts a file system of that size. Where that is not allowed it runs the test
// again in a user namespace of its own, and returns nothing.
func smallDisk(t *testing.T, size int) (dir string, here bool) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return dir, true
	}
	if os.Getenv(inNamespace) != "" {
		t.Fatalf("cannot mount a small disk, not even in a user namespace: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "", false
}

// A disk that is full while the buffer's bound is far away: sensors are sent away, reading
// and draining go on, a restart is possible, and what was promised is delivered.
func TestFullDisk(t *testing.T) {
	dir, here := smallDisk(t, 5<<20)
	if !here {
		return
	}
	cfg := testConfig(filepath.Join(dir, "buffer"))
	cfg.SegmentBytes, cfg.MaxBytes = 256<<10, 1<<30
	b := open(t, cfg)
	want := map[string]bool{}
	if n := fillDisk(t, b, want); n == 0 {
		t.Fatal("nothing was taken")
	}
	checkAllThere(t, b, want)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	stored := checkAllThere(t, b, want)
	fillDisk(t, b, want)
	if len(stored) < 4 {
		t.Fatalf("%d batches: the test is void", len(stored))
	}
	for _, s := range stored[:len(stored)*3/4] {
		b.Forget(s.Epoch, []uint64{s.Seq})
	}
	waitAccepted(t, b)
	for _, s := range stored {
		b.Forget(s.Epoch, []uint64{s.Seq})
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(filepath.Join(cfg.Dir, reserveName)); err == nil && info.Size() == cfg.reserveBytes() {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the reserve does not come back")
		}
		b.lookAfterSpace()
	}
}

// fillDisk hands readings in until the disk refuses, notes what was taken, and returns how
// many batches that were.
func fillDisk(t *testing.T, b *Buffer, taken map[string]bool) (n int) {
	t.Helper()
	for ; ; n++ {
		rs := bulky(fmt.Sprintf("%d-%d", len(taken), n), 500)
		err := b.Accept(t.Context(), rs)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("got %v, want that there is no space", err)
			}
			return n
		}
		for _, r := range rs {
			taken[nameOf(r)] = true
		}
	}
}

// checkAllThere wants everything that was taken to be offered.
func checkAllThere(t *testing.T, b *Buffer, want map[string]bool) []Batch {
	t.Helper()
	stored, decoded := drain(t, b)
	got := map[string]bool{}
	for _, r := range readings(decoded) {
		got[nameOf(r)] = true
	}
	for name := range want {
		if !got[name] {
			t.Fatalf("reading %s was taken and is gone", name)
		}
	}
	return stored
}

// waitAccepted offers readings until they are taken.
func waitAccepted(t *testing.T, b *Buffer) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := b.Accept(t.Context(), traffictest.Readings("again", 10))
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("refuses after space was made: %v", err)
		}
	}
}
