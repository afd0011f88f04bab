package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// breaking is a store that fails in the middle of a scan, after as many pieces, or waits
// until it is let go.
type breaking struct {
	*sqlite.Store
	pieces int
	hold   chan struct{}
}

func (b breaking) ScanReadings(_ context.Context, _, _ time.Time, each func([]traffic.Reading) error) error {
	if b.hold != nil {
		<-b.hold
		return nil
	}
	for range b.pieces {
		if err := each(make([]traffic.Reading, store.ScanPiece)); err != nil {
			return err
		}
	}
	return errors.New("the disk is gone")
}

func ask(t *testing.T, url, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept-Encoding", "identity") // compressed, the beginning could wait in a buffer
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

const anExport = "/api/export/readings?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&format="

// An export that fails is an error of the request or of the connection, never a short file.
func TestBrokenExportIsSeen(t *testing.T) {
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for _, pieces := range []int{0, 3} {
		a, tokens := withUsersOn(t, func(db *sqlite.Store) Store { return breaking{Store: db, pieces: pieces} })
		srv := httptest.NewServer(a.Handler())
		for _, format := range []string{"csv", "ndjson", "geojson"} {
			resp := ask(t, srv.URL+anExport+format, tokens[store.RoleViewer])
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			switch {
			case pieces == 0 && (resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Content-Disposition") != ""):
				t.Errorf("%s failed at once: %d %v %s", format, resp.StatusCode, resp.Header, body)
			case pieces > 0 && (resp.StatusCode != http.StatusOK || err == nil || len(body) == 0):
				t.Errorf("%s failed in the middle: %d, %d bytes, %v: want a broken connection", format, resp.StatusCode, len(body), err)
			}
		}
		srv.Close()
	}
}

func TestExportsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	a, tokens := withUsersOn(t, func(db *sqlite.Store) Store { return breaking{Store: db, hold: hold} })
	record := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, anExport+"csv", nil)
		r.Header.Set("Authorization", "Bearer "+tokens[store.RoleViewer])
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w
	}
	codes := make(chan int, 3)
	for range 3 {
		go func() { codes <- record().Code }()
	}
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("the third export: %d, want 503", code)
	}
	close(hold)
	for range 2 {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one of two exports: %d", code)
		}
	}
}
