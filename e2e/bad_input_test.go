package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// TestBadInputSaysWhatAndWhere starts the program with one thing wrong each time. It
// must end, with code 1 and a line that names the thing and what to do.
func TestBadInputSaysWhatAndWhere(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() }) // after the parallel subtests, unlike defer
	port := busy.Addr().String()
	csv := system.WriteFile(t, "counts.csv", "when,where,howfast\n1,2,3\n")
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no such file":         {[]string{"--source", "replay", "--file", "absent.csv"}, []string{"absent.csv", "no such file"}},
		"unknown columns":      {[]string{"--source", "replay", "--file", csv}, []string{"counts.csv", "howfast", "--columns"}},
		"column not there":     {[]string{"--source", "replay", "--file", csv, "--columns", "ts=time,speed=howfast"}, []string{"counts.csv", "time", "when"}},
		"replay without files": {[]string{"--source", "replay"}, []string{"file", "at least one"}},
		"unknown source":       {[]string{"--source", "mars"}, []string{`"mars"`, "paris", "replay", "city"}},
		"bad speed":            {[]string{"--source", "city", "--speed", "ludicrous"}, []string{"ludicrous", "max"}},
		"bad zone":             {[]string{"--source", "none", "--tz", "Mars/Olympus"}, []string{"tz", "Mars/Olympus", "Europe/Paris"}},
		"bad network":          {[]string{"--source", "none", "--roads", csv}, []string{"counts.csv", "road"}},
		"busy web port":        {[]string{"--source", "none", "--http-addr", port}, []string{port, "another program", "--http-addr"}},
		"busy broker port":     {[]string{"--source", "none", "--mqtt-addr", port}, []string{port, "--mqtt-addr"}},
		"short password":       {[]string{"--source", "none", "--admin-password", "short"}, []string{"password", "10"}},
		"unknown flag":         {[]string{"--sauce", "city"}, []string{"sauce"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"up", "--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0"}, c.args...)
			p := system.Launch(t, binary, args...)
			if code := p.ExitCode(t); code != 1 {
				t.Errorf("code %d, want 1", code)
			}
			for _, want := range c.says {
				if !strings.Contains(p.Log(), want) {
					t.Errorf("the message does not say %q:\n%s", want, p.Log())
				}
			}
			if strings.Contains(p.Log(), "goroutine ") {
				t.Errorf("a stack trace for a user:\n%s", p.Log())
			}
		})
	}
}

func TestDataFolderBelongsToOneProcess(t *testing.T) {
	dir := t.TempDir()
	system.Start(t, binary, dir, "--source", "none")
	p := system.Launch(t, binary, "up", "--source", "none", "--data-dir", dir, "--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0")
	if code := p.ExitCode(t); code != 1 || !strings.Contains(p.Log(), dir) || !strings.Contains(p.Log(), "--data-dir") {
		t.Errorf("code %d\n%s", code, p.Log())
	}
}

func TestFolderOfANewerVersionIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	p := system.Start(t, binary, dir, "--source", "none")
	p.Stop(t)
	path := filepath.Join(dir, "cityflow.db")
	system.PretendNewer(t, path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p = system.Launch(t, binary, "up", "--source", "none", "--data-dir", dir, "--http-addr", "127.0.0.1:0", "--mqtt-addr", "127.0.0.1:0")
	if code := p.ExitCode(t); code != 1 || !strings.Contains(p.Log(), "newer version") || !strings.Contains(p.Log(), path) {
		t.Errorf("code %d\n%s", code, p.Log())
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the database of the newer version was changed (%v)", err)
	}
}

// TestUnreachableParis wants the live source to say what is wrong and keep everything
// else running.
func TestUnreachableParis(t *testing.T) {
	p := system.Start(t, binary, t.TempDir(), "--source", "paris", "--paris-url", "http://127.0.0.1:1/api")
	c := p.Login(t)
	system.Eventually(t, "the log says what can't be reached", func() bool {
		return strings.Contains(p.Log(), "127.0.0.1:1")
	})
	if live := system.All[map[string]any](t, c, "/api/traffic/live"); len(live) != 0 {
		t.Errorf("readings from nowhere: %v", live)
	}
	p.Stop(t)
}
