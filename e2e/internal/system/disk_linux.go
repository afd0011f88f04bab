package system

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ramDisks are the file systems on which a sync costs nothing, by their numbers in
// statfs(2).
var ramDisks = map[uint32]string{0x01021994: "tmpfs", 0x858458f6: "ramfs"}

// DiskDir makes a folder for one test on a disk; the test is skipped where temporary
// files are kept in memory.
func DiskDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if name, ram := ramDisks[uint32(fs.Type)]; ram {
		t.Skipf("%s is on a %s, where nothing is durable: set TMPDIR to a folder on a disk", dir, name)
	}
	return dir
}

// WrittenBytes is how much the process has made the kernel write to a disk so far.
func (p *Process) WrittenBytes(t testing.TB) int64 {
	t.Helper()
	return procNumber(t, p, "io", "write_bytes:")
}

// ResidentBetween is the resident memory, in bytes, of the process's mappings that begin
// at addresses from low up to high.
func (p *Process) ResidentBetween(t testing.TB, low, high uint64) int64 {
	t.Helper()
	maps, err := os.ReadFile(p.proc("smaps"))
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	inside := false
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		if begin, _, ok := strings.Cut(f[0], "-"); ok {
			at, err := strconv.ParseUint(begin, 16, 64)
			inside = err == nil && low <= at && at < high
		}
		if inside && f[0] == "Rss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += kib << 10
		}
	}
	return sum
}

func procNumber(t testing.TB, p *Process, file, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(p.proc(file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == field {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the kernel does not tell %s", field)
	return 0
}

func (p *Process) proc(file string) string {
	return "/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/" + file
}
