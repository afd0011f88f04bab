package progress

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeterLogsAtIntervalsWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := New(nil, slog.New(slog.NewTextHandler(&out, nil)))
		m.Begin(Work{Title: "reading counts.csv", Total: 200, Bytes: true})
		for range 100 {
			time.Sleep(time.Second / 4) // 25 s of work
			m.Add(2)
		}
		m.End()
		m.End() // a second time is nothing
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 {
			t.Fatalf("want a line at 10 s, at 20 s and at the end, got %d:\n%s", len(lines), out.String())
		}
		for i, want := range []string{"bytes=80", "bytes=160", "bytes=200"} {
			if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], `work="reading counts.csv"`) {
				t.Errorf("line %d: %s; want %s", i, lines[i], want)
			}
		}
	})
}

func TestMeterIsSilentAboutShortWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := New(nil, slog.New(slog.NewTextHandler(&out, nil)))
		m.Begin(Work{Title: "short", Total: -1})
		m.Add(1)
		m.Begin(Work{Title: "next", Total: -1})
		m.End()
		if out.Len() != 0 {
			t.Errorf("got %s", out.String())
		}
	})
}

func TestMeterDrawsNothingIntoAFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := New(f, nil)
	m.Begin(Work{Title: "x", Total: 1})
	m.Add(1)
	m.End()
	if st, err := f.Stat(); err != nil || st.Size() != 0 {
		t.Errorf("wrote %d bytes into a file: %v", st.Size(), err)
	}
}

func TestBarShowsTitleAndEnds(t *testing.T) {
	var screen bytes.Buffer
	bar := newBar(&screen, Work{Title: "replaying", Total: 10})
	if err := bar.Add64(4); err != nil {
		t.Fatal(err)
	}
	if err := bar.Finish(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(screen.String(), "replaying") {
		t.Errorf("drew %q", screen.String())
	}
}

func TestNilMeter(t *testing.T) {
	var m *Meter
	m.Begin(Work{})
	m.Add(1)
	m.End()
}
