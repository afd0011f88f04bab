package daemon

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"
)

type seen struct {
	addr  string
	step  time.Duration
	files []string
}

// run parses args in front of a command with a sub-command, as the binaries have.
func run(t *testing.T, args ...string) (seen, error) {
	t.Helper()
	var (
		got seen
		set Settings
	)
	root := &cli.Command{
		Name: "cityflow", Flags: []cli.Flag{set.Flag()}, Before: set.Check,
		Writer: new(bytes.Buffer), ErrWriter: new(bytes.Buffer),
		Commands: []*cli.Command{{
			Name: "up",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "http-addr", Value: ":8080", Sources: set.Sources("http-addr")},
				&cli.DurationFlag{Name: "step", Value: time.Minute, Sources: set.Sources("step")},
				&cli.StringSliceFlag{Name: "file", Sources: set.Sources("file")},
			},
			Action: func(_ context.Context, c *cli.Command) error {
				got = seen{c.String("http-addr"), c.Duration("step"), c.StringSlice("file")}
				return nil
			},
		}},
	}
	err := Run(t.Context(), root, append([]string{"cityflow"}, args...))
	return got, err
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cityflow.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettingsOrder(t *testing.T) {
	file := settingsFile(t, "http-addr: from-file\nstep: 3m\nfile: [a.csv, b.csv]\n")
	got, err := run(t, "--config", file, "up")
	if err != nil {
		t.Fatal(err)
	}
	if got.addr != "from-file" || got.step != 3*time.Minute || !slices.Equal(got.files, []string{"a.csv", "b.csv"}) {
		t.Errorf("file over default: %+v", got)
	}
	t.Setenv("CITYFLOW_HTTP_ADDR", "from-env")
	if got, _ = run(t, "--config", file, "up"); got.addr != "from-env" {
		t.Errorf("environment over file: %q", got.addr)
	}
	if got, _ = run(t, "--config", file, "up", "--http-addr", "from-flag"); got.addr != "from-flag" {
		t.Errorf("flag over environment: %q", got.addr)
	}
	t.Setenv("CITYFLOW_CONFIG", file)
	if got, _ = run(t, "up"); got.step != 3*time.Minute {
		t.Errorf("settings file named by the environment was not read: %+v", got)
	}
}

func TestSettingsErrorsSayWhatAndWhere(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"unknown key": {"http-adr: :80\n", []string{`"http-adr"`, "http-addr", "cityflow.yaml"}},
		"bad value":   {"step: soon\n", []string{`"soon"`, "step", "cityflow.yaml"}},
		"nested":      {"step:\n  minutes: 3\n", []string{"cityflow.yaml:2", "step", "not a nested section"}},
		"not yaml":    {"{", []string{"cityflow.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, "--config", settingsFile(t, c.file), "up")
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
		})
	}
	if _, err := run(t, "--config", "absent.yaml", "up"); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("absent settings file: %v", err)
	}
}

func TestLoggerRefusesUnknownNames(t *testing.T) {
	for _, args := range [][]string{{"--log-level", "loud"}, {"--log-format", "xml"}} {
		var set Settings
		cmd := &cli.Command{Name: "x", Flags: LogFlags(&set), Action: func(_ context.Context, c *cli.Command) error {
			_, err := NewLogger(c, new(bytes.Buffer))
			return err
		}}
		err := Run(t.Context(), cmd, append([]string{"x"}, args...))
		if err == nil || !strings.Contains(err.Error(), args[1]) || !strings.Contains(err.Error(), "want") {
			t.Errorf("%v: error %v does not name the value and what is allowed", args, err)
		}
	}
}
