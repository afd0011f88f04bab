package paris

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// The bubbles of synctest begin at midnight of 2000-01-01; the feed is a day behind.
var published = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)

// follower runs a Source and keeps what it emits.
type follower struct {
	*Source
	log      bytes.Buffer
	mu       sync.Mutex // guards the two below while Run is running
	readings []traffic.Reading
	rejected []traffic.Rejected
	stop     context.CancelFunc
	done     chan error
}

func config(dir string) Config {
	c := DefaultConfig()
	c.CacheDir = dir
	return c
}

// follow starts a Source on the given API, a day after the beginning of the bubble.
func follow(t *testing.T, cfg Config, transport http.RoundTripper) *follower {
	t.Helper()
	f := &follower{done: make(chan error, 1)}
	var err error
	f.Source, err = New(cfg, Deps{
		Log: slog.New(slog.NewTextHandler(&f.log, nil)), Transport: transport,
		OnRejected: func(r traffic.Rejected) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.rejected = append(f.rejected, r)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.stop = cancel
	go func() {
		f.done <- f.Run(ctx, func(_ context.Context, rs []traffic.Reading) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.readings = append(f.readings, rs...)
			return nil
		})
	}()
	synctest.Wait()
	return f
}

// end stops the source and returns how many readings it emitted.
func (f *follower) end(t *testing.T) int {
	t.Helper()
	synctest.Wait()
	f.stop()
	if err := <-f.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	return len(f.readings)
}

func (f *follower) count() int {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readings)
}

// bubble runs a test at a time at which the feed makes sense.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(48 * time.Hour)
		test(t)
	})
}

func expect[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestFollowsTheFeed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, arcs(1, 250)...)
		a.hour(published.Add(-time.Hour), arcs(1, 250)...)
		a.hour(published.Add(-30*time.Hour), 1, 2, 3) // beyond the lookback
		f := follow(t, config(""), a)
		expect(t, "first poll", f.count(), 500)
		expect(t, "questions", a.took(), "newest 1, exports 1, pages 0, reference 0")
		first := f.readings[0]
		if !first.At.Equal(published.Add(-2*time.Hour)) || first.Sensor != "PARIS-1" || first.Flow != traffic.Some(1+23) || first.Occupancy != traffic.Some(0.025) {
			t.Errorf("first reading %+v: want the hour that ended at 23:00, begin-stamped", first)
		}
		if first.Place == nil || first.Place.Label != "street 1" || first.Place != f.readings[250].Place {
			t.Errorf("place %+v is not shared", first.Place)
		}
		time.Sleep(15 * time.Minute)
		expect(t, "nothing new", f.count(), 500)
		expect(t, "questions", a.took(), "newest 1, exports 0, pages 0, reference 0")
		a.hour(published.Add(time.Hour), arcs(1, 250)...)
		time.Sleep(15 * time.Minute)
		expect(t, "a new hour", f.count(), 750)
		expect(t, "questions", a.took(), "newest 1, exports 1, pages 0, reference 0")
		a.hour(published.Add(-2*time.Hour), 7) // filled in late
		time.Sleep(15 * time.Minute)
		expect(t, "a late hour", f.count(), 751)
		expect(t, "nothing twice", distinct(f.readings), 751)
		expect(t, "readings", f.end(t), 751)
		for agent := range a.agents {
			if !strings.Contains(agent, "CityFlow") {
				t.Errorf("asked as %q", agent)
			}
		}
	})
}

func distinct(rs []traffic.Reading) int {
	seen := map[string]bool{}
	for _, r := range rs {
		seen[fmt.Sprint(r.Sensor, r.At)] = true
	}
	return len(seen)
}

func TestPagesWhereThereAreNoExports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{noExports: true}
		for h := range 6 {
			a.hour(published.Add(-time.Duration(h)*time.Hour), arcs(1, 3241)...)
		}
		f := follow(t, config(""), a)
		time.Sleep(time.Minute)
		expect(t, "three hours at first", f.count(), 3*3241)
		expect(t, "questions", a.took(), "newest 1, exports 1, pages 99, reference 0")
		expect(t, "nothing twice", distinct(f.readings), 3*3241)
		f.end(t)
	})
}

func TestTooManyRecordsForPagesIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{noExports: true}
		a.hour(published, arcs(1, 10001)...)
		f := follow(t, config(""), a)
		time.Sleep(5 * time.Minute)
		expect(t, "readings", f.end(t), 0)
		if !strings.Contains(f.log.String(), "10001 records of the hour") {
			t.Errorf("log: %s", f.log.String())
		}
	})
}

func TestEmptyHoursAreAskedForAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, 1, 2)
		a.records[1]["q"], a.records[1]["k"] = nil, nil
		f := follow(t, config(""), a)
		expect(t, "readings", f.count(), 1)
		a.mu.Lock()
		a.records[1]["q"] = 5.0
		a.mu.Unlock()
		a.hour(published, 3)
		time.Sleep(15 * time.Minute)
		expect(t, "readings", f.end(t), 3)
	})
}

func TestRecordsThatCannotBeUsedAreListed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, 1, 2, 3)
		a.records[1]["k"] = 250.0
		a.records[2]["iu_ac"] = []string{"x"}
		f := follow(t, config(""), a)
		expect(t, "readings", f.end(t), 1)
		if len(f.rejected) != 2 || f.rejected[0].Reason != traffic.ReasonID || f.rejected[1].Reason != traffic.ReasonRange {
			t.Errorf("rejected %+v", f.rejected)
		}
	})
}

func TestServerInTrouble(t *testing.T) {
	status := func(code int, header ...string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, n int) bool {
			if n > 1 {
				return false
			}
			if len(header) > 0 {
				w.Header().Set(header[0], header[1])
			}
			http.Error(w, "trouble", code)
			return true
		}
	}
	body := func(text string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, n int) bool {
			if n == 1 {
				fmt.Fprint(w, text)
			}
			return n == 1
		}
	}
	for name, tc := range map[string]struct {
		spoil func(http.ResponseWriter, *http.Request, int) bool
		after time.Duration // when the readings are there
	}{
		"500 once":               {status(500), 2 * time.Second},
		"503, come in 40 s":      {status(503, "Retry-After", "40"), 41 * time.Second},
		"429, come in 100 s":     {status(429, "Retry-After", "100"), 101 * time.Second},
		"429, come in an hour":   {status(429, "Retry-After", "3600"), time.Hour + time.Second},
		"404 once":               {status(404), 15*time.Minute + time.Second},
		"a page":                 {body("<!DOCTYPE html><title>Maintenance</title>"), 2 * time.Second},
		"garbage":                {body("\x00\x01garbage"), 2 * time.Second},
		"cut off":                {body(`{"total_count": 1, "results": [{"t_1h": "20`), 2 * time.Second},
		"an error with code 200": {body(`{"error_code":"quota"}`), 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := &api{spoil: tc.spoil}
				a.hour(published, 1)
				f := follow(t, config(""), a)
				time.Sleep(tc.after / 5) // the pauses are random by a half
				expect(t, "too early", f.count(), 0)
				time.Sleep(tc.after)
				expect(t, "then", f.end(t), 1)
			})
		})
	}
}

// An export that breaks off is asked for again, and nothing of it is used.
func TestExportThatBreaksOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, 1, 2)
		a.spoil = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if !strings.Contains(r.URL.Path, "exports") {
				return false
			}
			fmt.Fprint(w, `[{"iu_ac":"9","t_1h":"2000-01-02T00:00:00+00:00","q":1},`)
			return true
		}
		f := follow(t, config(""), a)
		time.Sleep(5 * time.Minute)
		expect(t, "questions", a.took(), "newest 1, exports 4, pages 3, reference 0")
		expect(t, "readings", f.end(t), 2)
		expect(t, "first", f.readings[0].Sensor, "PARIS-1")
	})
}

func TestRestartUsesTheCache(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, arcs(1, 10)...)
		f := follow(t, config(dir), a)
		expect(t, "first run", f.end(t), 10)
		a.took()

		time.Sleep(5 * time.Minute)
		f = follow(t, config(dir), a)
		expect(t, "second run, from the disk", f.count(), 10)
		expect(t, "questions", a.took(), "newest 0, exports 0, pages 0, reference 0")
		time.Sleep(9 * time.Minute)
		expect(t, "not due yet", a.took(), "newest 0, exports 0, pages 0, reference 0")
		time.Sleep(time.Minute + time.Second)
		expect(t, "due", a.took(), "newest 1, exports 0, pages 0, reference 0")
		a.hour(published.Add(time.Hour), 1)
		time.Sleep(15 * time.Minute)
		expect(t, "only what is new", f.end(t), 11)

		gone := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") })
		time.Sleep(24 * time.Hour)
		f = follow(t, config(dir), gone)
		time.Sleep(time.Hour)
		expect(t, "without a network", f.end(t), 11)
		if !strings.Contains(f.log.String(), "no route to host") {
			t.Errorf("log: %s", f.log.String())
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

func TestDamagedCacheIsFetchedAgain(t *testing.T) {
	for _, file := range []string{countsFile, stateFile} {
		dir := t.TempDir()
		bubble(t, func(t *testing.T) {
			a := &api{}
			a.hour(published, arcs(1, 10)...)
			follow(t, config(dir), a).end(t)
			a.took()
			if err := os.WriteFile(filepath.Join(dir, file), []byte("{damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
			f := follow(t, config(dir), a)
			expect(t, file, f.end(t), 10)
			expect(t, file, a.took(), "newest 1, exports 1, pages 0, reference 0")
		})
	}
}

// A cache of another portal is none.
func TestCacheOfAnotherPortal(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, 1)
		follow(t, config(dir), a).end(t)
		other := config(dir)
		other.URL = "https://example.org/api"
		b := &api{}
		b.hour(published, 1, 2)
		f := follow(t, other, b)
		expect(t, "questions", b.took(), "newest 1, exports 1, pages 0, reference 0")
		f.end(t)
	})
}

func TestErrorOfTheReceiverEndsTheRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &api{}
		a.hour(published, 1)
		s, err := New(config(""), Deps{Transport: a})
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("full")
		if err := s.Run(t.Context(), func(context.Context, []traffic.Reading) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

// Over real sockets: a server that hangs is given up after the timeout, and the
// probe keeps to the patience of its caller.
func TestRealServer(t *testing.T) {
	a := &api{}
	a.hour(time.Now().Add(-time.Hour).Truncate(time.Hour), arcs(1, 120)...)
	server := httptest.NewServer(a)
	defer server.Close()
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(hang)

	reg := prometheus.NewRegistry()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	open := func(url string, reg prometheus.Registerer) *Source {
		cfg := config("")
		cfg.URL = url
		s, err := New(cfg, Deps{Reg: reg, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	live := open(server.URL, reg)
	if err := live.Reachable(t.Context()); err != nil {
		t.Errorf("reachable: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	if err := live.Run(ctx, func(_ context.Context, rs []traffic.Reading) error {
		if n += len(rs); n == 120 {
			cancel()
		}
		return nil
	}); err != nil || n != 120 {
		t.Errorf("%d readings, %v", n, err)
	}
	if got := testutil.ToFloat64(live.metrics.readings); got != 120 {
		t.Errorf("metric: %v", got)
	}

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := open(slow.URL, nil).Reachable(short); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("a server that hangs: %v after %s", err, time.Since(start))
	}
	closed := httptest.NewServer(a)
	closed.Close()
	if err := open(closed.URL, nil).Reachable(t.Context()); err == nil || !strings.Contains(err.Error(), "live Paris API") {
		t.Errorf("a server that is gone: %v", err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*Config){
		"paris-url: ftp://x":       func(c *Config) { c.URL = "ftp://x" },
		"paris-url: opendata":      func(c *Config) { c.URL = "opendata" },
		"paris-interval: 1m0s":     func(c *Config) { c.Interval = time.Minute },
		"paris-lookback: 1h30m0s":  func(c *Config) { c.Lookback = 90 * time.Minute },
		"paris-timeout: 0s":        func(c *Config) { c.Timeout = 0 },
		"paris-dataset: a/b":       func(c *Config) { c.Dataset = "a/b" },
		"paris-reference: : want ": func(c *Config) { c.Reference = "" },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := New(c, Deps{}); err == nil {
			t.Errorf("%s: New took it", want)
		}
	}
}
