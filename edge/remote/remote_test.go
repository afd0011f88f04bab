package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A box is a Box whose link comes back, after a while, under most settings.
type box struct {
	mu      sync.Mutex
	now     Settings
	applied time.Time
	told    int
}

func (b *box) Apply(s Settings) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Window != nil && *s.Window == 13 {
		return errors.New("window: 13 brings bad luck")
	}
	b.now, b.applied = s, time.Now()
	return nil
}

func (b *box) Reached() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := b.now.CentralURL != nil && strings.Contains(*b.now.CentralURL, "nowhere")
	if back := b.applied.Add(5 * time.Second); !bad && time.Now().After(back) {
		return back
	}
	return time.Time{}
}

func (b *box) Announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told++
}

func (b *box) url() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now.CentralURL == nil {
		return "own"
	}
	return *b.now.CentralURL
}

// process runs a manager on a file; stop ends it.
func process(t *testing.T, path string, b *box) (m *Manager, stop func()) {
	t.Helper()
	cfg := Default()
	cfg.Path = path
	m, err := Open(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(m.Settings()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx, b)
	}()
	return m, func() { cancel(); <-ended }
}

func offer(n int, url string) []byte {
	return fmt.Appendf(nil, `{"version":%d,"settings":{"central-url":%q,"window":8}}`, n, url)
}

func want(t *testing.T, m *Manager, b *box, version uint64, result Result, url string) {
	t.Helper()
	synctest.Wait()
	if s := m.State(); s.Version != version || s.Result != result || b.url() != url {
		t.Errorf("state %+v with %s, want version %d %s with %s", s, b.url(), version, result, url)
	}
}

// A version is tried, confirmed or rolled back, and what was confirmed survives a restart.
func TestTrial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remote.json")
	synctest.Test(t, func(t *testing.T) {
		var b box
		m, stop := process(t, path, &b)
		want(t, m, &b, 0, "", "own")
		m.Offer(offer(1, "tcp://one:1"))
		want(t, m, &b, 1, Pending, "tcp://one:1")
		time.Sleep(10 * time.Second)
		want(t, m, &b, 1, Applied, "tcp://one:1")
		m.Offer(offer(2, "tcp://nowhere:1"))
		time.Sleep(time.Minute)
		want(t, m, &b, 2, Pending, "tcp://nowhere:1")
		time.Sleep(62 * time.Second)
		want(t, m, &b, 2, RolledBack, "tcp://one:1")
		m.Offer(offer(2, "tcp://one:2")) // the retained message comes again
		m.Offer(offer(1, "tcp://one:2"))
		want(t, m, &b, 2, RolledBack, "tcp://one:1")
		stop()

		m, stop = process(t, path, &b)
		want(t, m, &b, 2, RolledBack, "tcp://one:1")
		m.Offer(offer(3, "tcp://nowhere:1"))
		want(t, m, &b, 3, Pending, "tcp://nowhere:1")
		stop() // in the middle

		m, stop = process(t, path, &b)
		want(t, m, &b, 3, RolledBack, "tcp://one:1")
		m.Offer(offer(4, "tcp://nowhere:1"))
		want(t, m, &b, 4, Pending, "tcp://nowhere:1")
		m.Offer(offer(5, "tcp://five:1"))
		time.Sleep(10 * time.Second)
		want(t, m, &b, 5, Applied, "tcp://five:1")
		stop()
		if b.told < 8 {
			t.Errorf("the centre was told %d times", b.told)
		}
	})
}

// What is not allowed is refused by name, and changes nothing.
func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "remote.json")
	synctest.Test(t, func(t *testing.T) {
		var b box
		m, stop := process(t, path, &b)
		defer stop()
		for i, c := range []struct{ settings, reason string }{
			{`{"colour":"red","window":0}`, `colour: unknown: allowed are buffer-mib, central-url,`},
			{`{"colour":"red","window":0}`, `window: 0 is not allowed: want a whole number, 1 to 1024`},
			{`{"window":"8"}`, `window: "8" is not allowed`},
			{`{"window":1e3}`, `window: 1e3 is not allowed`},
			{`{"window":13}`, `window: 13 brings bad luck`},
			{`{"commit-interval":"2h"}`, `commit-interval: "2h" is not allowed: want a duration such as "500ms", 0s to 1m0s`},
			{`{"commit-interval":5}`, `commit-interval: 5 is not allowed`},
			{`{"log-level":"info+2"}`, `log-level: "info+2" is not allowed: want debug, info, warn or error`},
			{`{"central-url":""}`, `central-url: "" is not allowed`},
			{`{"buffer-mib":1}`, `buffer-mib: 1 is not allowed: want a whole number, 64 to`},
			{`[]`, `message cannot be read`},
			{`{},"more":1`, `unknown field "more"`},
		} {
			m.Offer(fmt.Appendf(nil, `{"version":%d,"settings":%s}`, i+1, c.settings))
			want(t, m, &b, uint64(i+1), Refused, "own")
			if got := m.State().Reason; !strings.Contains(got, c.reason) || strings.Contains(got, "\n") {
				t.Errorf("%s: %q, want %q", c.settings, got, c.reason)
			}
		}
		last := m.State().Version
		for _, bad := range []string{"\x00", "{", `{"settings":{}}`, `{"version":-1}`, strings.Repeat(" ", maxPayload+1)} {
			m.Offer([]byte(bad))
			want(t, m, &b, 0, Refused, "own")
		}
		m.Offer(nil)
		m.Offer(offer(int(last)+1, "tcp://one:1"))
		time.Sleep(10 * time.Second)
		want(t, m, &b, last+1, Applied, "tcp://one:1")
	})
}

// A file that is damaged, or says what is no longer allowed, leaves the box its own settings.
func TestBadFile(t *testing.T) {
	for content, result := range map[string]Result{
		"\x00\x00\x00": "",
		`{"confirmed":{"version":7,"settings":{"gone":1}},"last":{"version":7,"result":"applied"}}`: RolledBack,
	} {
		path := filepath.Join(t.TempDir(), "remote.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(Config{Path: path, Limit: time.Minute}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.Settings() != (Settings{}) || m.State().Result != result {
			t.Errorf("%s: settings %+v, state %+v", content, m.Settings(), m.State())
		}
	}
	if _, err := Open(Config{}, nil); err == nil {
		t.Error("no path is no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(offer(1, "tcp://x:1"))
	f.Add([]byte(`{"version":1,"settings":{"window":8,"commit-interval":"1s","log-level":"debug"}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		v, s, err := parse(payload)
		if err == nil && v.Number == 0 {
			t.Errorf("%q has no version and is taken: %+v", payload, s)
		}
	})
}
