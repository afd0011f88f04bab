package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run runs the command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := command()
	var out bytes.Buffer
	cmd.Writer, cmd.ErrWriter = &out, t.Output()
	err := cmd.Run(t.Context(), append([]string{"cityflow", "--log-format", "text"}, args...))
	return out.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("cityflow %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// counts is a table of 300 readings of three sensors, with one row that is none.
func counts(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("time;sensor;speed\n")
	for i := range 300 {
		fmt.Fprintf(&b, "2026-03-02T%02d:%02d:00Z;S%d;%d\n", 8+i/180, i/3%60, i%3, 20+i%40)
	}
	b.WriteString("2026-03-02T12:00:00Z;S1;fast\n")
	path := filepath.Join(t.TempDir(), "counts.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const columns = "ts=time,sensor=sensor,speed=speed"

// What is imported can be exported, in every format, and imported elsewhere from it.
func TestImportExport(t *testing.T) {
	dir, file := t.TempDir(), counts(t)
	if out := mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, file); !strings.Contains(out, "imported: 300, there before: 0; rows refused: 1 ") {
		t.Errorf("import says %q", out)
	}
	if out := mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, file); !strings.Contains(out, "imported: 0, there before: 300;") {
		t.Errorf("the second import says %q", out)
	}
	if out := mustRun(t, "rejected", "list", "--data-dir", dir); !strings.Contains(out, "counts.csv:302") {
		t.Errorf("the refused row is not listed: %q", out)
	}
	want := mustRun(t, "export", "readings", "--data-dir", dir)
	if lines := strings.Count(want, "\n"); lines != 301 {
		t.Errorf("%d lines of CSV, want a header and 300", lines)
	}
	part := mustRun(t, "export", "readings", "--data-dir", dir, "--from", "2026-03-02T08:10:00Z", "--to", "2026-03-02T08:20", "--format", "ndjson")
	if lines := strings.Count(part, "\n"); lines != 30 {
		t.Errorf("%d lines of ten minutes, want 30", lines)
	}
	for name, args := range map[string][]string{
		"r.parquet": nil,
		"r.ndjson":  nil,
		"r.csv":     {"--columns", "ts=ts,sensor=sensor_id,road=road_id,speed=speed_kmh"},
	} {
		path, other := filepath.Join(t.TempDir(), name), t.TempDir()
		mustRun(t, "export", "readings", "--data-dir", dir, "--out", path)
		mustRun(t, append(append([]string{"import", "readings", "--data-dir", other}, args...), path)...)
		if got := mustRun(t, "export", "readings", "--data-dir", other); got != want {
			t.Errorf("%s: what was imported from it is not what was exported:\n%.300s\nwant\n%.300s", name, got, want)
		}
	}
	if out := mustRun(t, "export", "predictions", "--data-dir", dir); strings.Count(out, "\n") != 1 {
		t.Errorf("predictions of a folder without any: %q, want the header", out)
	}
}

// Several Parquet files of the same time are imported whole, also when one alone fills
// transactions.
func TestImportSeveralParquet(t *testing.T) {
	var files []string
	for _, sensor := range []string{"A", "B"} {
		var b strings.Builder
		b.WriteString("time;sensor;speed\n")
		for i := range importBatch + 500 {
			fmt.Fprintf(&b, "%s;%s;%d\n", time.Unix(1_770_000_000+int64(i), 0).UTC().Format(time.RFC3339), sensor, 20+i%40)
		}
		table, dir := filepath.Join(t.TempDir(), "table.csv"), t.TempDir()
		if err := os.WriteFile(table, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, table)
		files = append(files, filepath.Join(t.TempDir(), sensor+".parquet"))
		mustRun(t, "export", "readings", "--data-dir", dir, "--out", files[len(files)-1])
	}
	out := mustRun(t, append([]string{"import", "readings", "--data-dir", t.TempDir()}, files...)...)
	if want := fmt.Sprintf("imported: %d, there before: 0; rows refused: 0", 2*(importBatch+500)); !strings.Contains(out, want) {
		t.Errorf("import says %q, want %q", out, want)
	}
}

// An import that was broken off goes on where it was.
func TestImportGoesOn(t *testing.T) {
	dir, file := t.TempDir(), counts(t)
	mark, err := openBookmark(filepath.Join(dir, "import.json"), []string{file})
	if err != nil {
		t.Fatal(err)
	}
	if err := mark.Last.UnmarshalText([]byte("2026-03-02T09:00:00Z")); err != nil {
		t.Fatal(err)
	}
	if err := mark.save(); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, file); !strings.Contains(out, "imported: 120,") {
		t.Errorf("import says %q, want the 120 readings from 9 o'clock on", out)
	}
	if _, err := os.Stat(mark.path); !os.IsNotExist(err) {
		t.Errorf("the mark is still there after the end: %v", err)
	}
}

func TestBackupAndRestore(t *testing.T) {
	dir, file := t.TempDir(), counts(t)
	mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, file)
	if err := os.WriteFile(filepath.Join(dir, "secret"), bytes.Repeat([]byte("k"), secretBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	to, again := filepath.Join(t.TempDir(), "new", "backup"), t.TempDir()
	mustRun(t, "backup", "--data-dir", dir, to)
	mustRun(t, "restore", "--data-dir", again, to)
	if a, b := mustRun(t, "export", "readings", "--data-dir", dir), mustRun(t, "export", "readings", "--data-dir", again); a != b {
		t.Error("the restored folder does not hold what was backed up")
	}
	if key, err := os.ReadFile(filepath.Join(again, "secret")); err != nil || len(key) != secretBytes {
		t.Errorf("the key of access tokens was not restored: %d bytes, %v", len(key), err)
	}

	damaged := filepath.Join(to, "cityflow.db")
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i += 4096 {
		copy(data[i:], "\xff\xff\xff\xff")
	}
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := t.TempDir()
	if _, err := run(t, "restore", "--data-dir", fresh, to); err == nil {
		t.Error("a damaged backup was restored")
	}
	if entries, _ := os.ReadDir(fresh); len(entries) > 0 {
		t.Errorf("a failed restore leaves %s behind", entries[0].Name())
	}
}

func TestDataCommandsSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "import", "readings", "--data-dir", dir, "--columns", columns, counts(t))
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"export", "readings", "--data-dir", filepath.Join(dir, "no")}, []string{"data-dir", "no database"}},
		{[]string{"export", "readings", "--data-dir", dir, "--format", "xlsx"}, []string{"format", `"xlsx"`, "parquet"}},
		{[]string{"export", "readings", "--data-dir", dir, "--from", "2026-03-03", "--to", "2026-03-02"}, []string{"to:", "2026-03-02", "after --from"}},
		{[]string{"export", "readings", "--data-dir", dir, "--out", filepath.Join(dir, "no", "x.csv")}, []string{"out", "no such file"}},
		{[]string{"import", "readings", "--data-dir", dir}, []string{"want at least one FILE"}},
		{[]string{"import", "readings", "--data-dir", dir, filepath.Join(dir, "no.parquet")}, []string{"no.parquet", "no such file"}},
		{[]string{"backup", "--data-dir", dir}, []string{"backup", "want one DIR"}},
		{[]string{"backup", "--data-dir", dir, dir}, []string{"not empty", "want a new folder"}},
		{[]string{"restore", "--data-dir", t.TempDir(), t.TempDir()}, []string{"holds no backup"}},
		{[]string{"restore", "--data-dir", dir, dir}, []string{"data-dir", "not empty"}},
	} {
		_, err := run(t, c.args...)
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("cityflow %s: error %v, want it to say %q", strings.Join(c.args, " "), err, want)
			}
		}
	}
}
