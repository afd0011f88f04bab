package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// A page answers what the process itself has no answer for.
func TestPage(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page ", r.URL.Path) })
	mux := opsMux(NewRegistry(), &Readiness{}, page)
	for path, want := range map[string]string{"/": "page /", "/health": "ok", "/x": "page /x"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestOps(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ln, err := Listen(ctx, "http-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Listen(ctx, "http-addr", ln.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "another program has this port") || !strings.Contains(err.Error(), "--http-addr") {
		t.Errorf("busy port: error %v does not say what to do", err)
	}

	var ready Readiness
	var connected atomic.Bool
	ready.Add("store", func(context.Context) error { return nil })
	ready.Add("broker", func(context.Context) error {
		if connected.Load() {
			return nil
		}
		return errors.New("not connected")
	})
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, ln, OpsHandler(NewRegistry(), &ready)) }()
	base := "http://" + ln.Addr().String()

	if code, _ := get(t, base+"/health"); code != http.StatusOK {
		t.Errorf("health: %d", code)
	}
	code, body := get(t, base+"/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, `"broker":"not connected"`) || strings.Contains(body, "store") {
		t.Errorf("not ready: %d %s", code, body)
	}
	connected.Store(true)
	if code, body = get(t, base+"/readyz"); code != http.StatusOK {
		t.Errorf("ready: %d %s", code, body)
	}
	if _, body = get(t, base+"/metrics"); !strings.Contains(body, "process_resident_memory_bytes") {
		t.Error("metrics do not tell about the process")
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}
