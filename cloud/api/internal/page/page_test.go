package page_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/2zrhun/city-flow/cloud/api/internal/page"
)

func dashboard() fstest.MapFS {
	return fstest.MapFS{
		"index.html":                  {Data: []byte("<title>map</title>")},
		"favicon.svg":                 {Data: []byte("<svg/>")},
		"assets/app-3f9aB_c2.js":      {Data: []byte("plain")},
		"assets/app-3f9aB_c2.js.br":   {Data: []byte("brotli")},
		"assets/app-3f9aB_c2.js.gz":   {Data: []byte("gzip")},
		"assets/style-A1b2C3d4.css":   {Data: []byte("body{}")},
		"assets/notes.txt":            {Data: []byte("no hash")},
		".gitkeep":                    {Data: nil},
		"tiles/paris.pmtiles":         {Data: []byte("0123456789")},
		"assets/fonts/a-12345678.pbf": {Data: []byte("glyphs")},
	}
}

func get(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFilesAndTheirCaching(t *testing.T) {
	h, err := page.New(dashboard())
	if err != nil {
		t.Fatal(err)
	}
	const forever = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		path, accept            string
		text, kind, cache, code string
	}{
		{"/", "", "<title>map</title>", "text/html; charset=utf-8", "no-cache", ""},
		{"/index.html", "", "<title>map</title>", "text/html; charset=utf-8", "no-cache", ""},
		{"/road/PARIS-4264", "", "<title>map</title>", "text/html; charset=utf-8", "no-cache", ""},
		{"/../../etc/passwd", "", "<title>map</title>", "text/html; charset=utf-8", "no-cache", ""},
		{"/favicon.svg", "", "<svg/>", "image/svg+xml", "no-cache", ""},
		{"/assets/app-3f9aB_c2.js", "", "plain", "text/javascript; charset=utf-8", forever, ""},
		{"/assets/app-3f9aB_c2.js", "gzip", "gzip", "text/javascript; charset=utf-8", forever, "gzip"},
		{"/assets/app-3f9aB_c2.js", "gzip, br", "brotli", "text/javascript; charset=utf-8", forever, "br"},
		{"/assets/app-3f9aB_c2.js", "br;q=0, gzip;q=0.5", "gzip", "text/javascript; charset=utf-8", forever, "gzip"},
		{"/assets/style-A1b2C3d4.css", "br", "body{}", "text/css; charset=utf-8", forever, ""},
		{"/assets/notes.txt", "", "no hash", "text/plain; charset=utf-8", "no-cache", ""},
	} {
		r := get(t, h, c.path, "Accept-Encoding", c.accept)
		if got := body(t, r); r.StatusCode != 200 || got != c.text {
			t.Errorf("%s (%s): %d %q, want %q", c.path, c.accept, r.StatusCode, got, c.text)
		}
		for name, want := range map[string]string{"Content-Type": c.kind, "Cache-Control": c.cache, "Content-Encoding": c.code} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s (%s): %s %q, want %q", c.path, c.accept, name, got, want)
			}
		}
	}
}

func TestFileIsSentOnce(t *testing.T) {
	h, err := page.New(dashboard())
	if err != nil {
		t.Fatal(err)
	}
	first := get(t, h, "/")
	again := get(t, h, "/", "If-None-Match", first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("%d, want 304", again.StatusCode)
	}
	plain, zipped := get(t, h, "/assets/app-3f9aB_c2.js"), get(t, h, "/assets/app-3f9aB_c2.js", "Accept-Encoding", "gzip")
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("two forms of a file have one ETag")
	}
	part := get(t, h, "/tiles/paris.pmtiles", "Range", "bytes=2-4")
	if part.StatusCode != http.StatusPartialContent || body(t, part) != "234" {
		t.Errorf("range request: %d", part.StatusCode)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	h, err := page.New(dashboard())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/assets/gone-12345678.js", "/.gitkeep", "/assets/app-3f9aB_c2.js.br"} {
		if r := get(t, h, path); r.StatusCode != 404 || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x")))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestDashboardThatWasNotBuilt(t *testing.T) {
	for name, fsys := range map[string]fstest.MapFS{"nil": nil, "empty": {".gitkeep": {}}} {
		h, err := page.New(nil)
		if fsys != nil {
			h, err = page.New(fsys)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := get(t, h, "/")
		if text := body(t, r); r.StatusCode != 200 || !strings.Contains(text, "dashboard not built: run <code>make dashboard</code>") {
			t.Errorf("%s: %d %q", name, r.StatusCode, text)
		}
	}
}
