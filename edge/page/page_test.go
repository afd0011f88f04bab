package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/agent"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startAgent(t *testing.T, change func(*agent.Config)) *agent.Agent {
	t.Helper()
	cfg := agent.Default()
	cfg.Edge, cfg.Version = "pi-7", "v1.2.3"
	cfg.Buffer.Dir, cfg.Buffer.CommitInterval = filepath.Join(t.TempDir(), "buffer"), time.Millisecond
	cfg.Broker.Addr = "127.0.0.1:0"
	cfg.Uplink.DrainTimeout = time.Millisecond
	change(&cfg)
	a, err := agent.New(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a
}

func get(t *testing.T, from Source, path string) *httptest.ResponseRecorder {
	t.Helper()
	p, err := New(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text[strings.Index(text, "<body>"):])
		}
	}
}

func TestPageOfABoxWithoutACentre(t *testing.T) {
	a := startAgent(t, func(cfg *agent.Config) { cfg.Uplink.URL = "tcp://127.0.0.1:1" })
	before := get(t, a, "/").Body.String()
	contains(t, before, "<h1>pi-7</h1>", "CityFlow edge v1.2.3", "No sensor was heard", "this edge was not enrolled", "✓ all sent")

	sensor := farend.Dial(t, a.Addr(), "sensor")
	payload := `[{"sensor_id":"loop-7","speed_kmh":31.5,"flow_rate":840,"occupancy":0.17,"label":"<script>alert(1)</script>"},
		{"sensor_id":"loop-8","occupancy":0.9}]`
	if token := sensor.Publish("traffic/data", 1, false, payload); !token.WaitTimeout(farend.Patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	farend.WaitFor(t, "the reason on the page", func() bool { return strings.Contains(get(t, a, "/").Body.String(), "connection refused") })
	w := get(t, a, "/")
	text := w.Body.String()
	contains(t, text, "✗ not connected", "tcp://127.0.0.1:1", "1 batches wait", "loop-7", "<td>31.5</td>", "<td>840</td>", "17 %",
		"&lt;script&gt;alert(1)", "loop-8", "<td>–</td>", "0 s</td>")
	if strings.Index(text, "loop-8") > strings.Index(text, "loop-7") {
		t.Error("the newest is not on top")
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "http://") || strings.Contains(text, "https://") {
		t.Error("the page has a script, or wants something from elsewhere")
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	if code := get(t, a, "/x").Code; code != http.StatusNotFound {
		t.Errorf("another path: %d", code)
	}
}

func TestPageOfABoxThatIsWell(t *testing.T) {
	a := startAgent(t, func(cfg *agent.Config) {
		cfg.Certificate = func() (time.Time, error) {
			return time.Now().Add(20*24*time.Hour + time.Hour), errors.New("the centre refuses (403): revoked")
		}
	})
	farend.Start(t, a.Addr(), farend.AckAtOnce)
	farend.WaitFor(t, "the link", func() bool { return a.CheckUplink(t.Context()) == nil })
	contains(t, get(t, a, "/").Body.String(), "✓ connected", "<div class=\"big bad\">20 days left", "not renewed: the centre refuses (403): revoked")
}

func TestAge(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": 400 * time.Millisecond, "59 s": 59 * time.Second, "1 min 0 s": time.Minute, "-5 s": -5 * time.Second,
		"1 h 1 min": 61 * time.Minute, "47 h 59 min": 48*time.Hour - time.Minute, "2 days 0 h": 48 * time.Hour,
	} {
		if got := age(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for want, score := range map[string]float64{"free": 0.29, "busy": 0.3, "slow": 0.6, "jam": 0.8} {
		if got := level(traffic.Some(score)); got != want {
			t.Errorf("%g is %q, want %q", score, got, want)
		}
	}
	if level(traffic.Value{}) != "" || percent(traffic.Value{}) != -1 || value(traffic.Value{}, 1) != "–" {
		t.Error("what was not measured is shown as if it was")
	}
}
