package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

const index = "index.html"

// missing is shown when the dashboard was not built into the program.
const missing = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>CityFlow</title></head>
<body><h1>CityFlow</h1>
<p>dashboard not built: run <code>make dashboard</code></p>
<p>The API works: <a href="/api/docs">/api/docs</a></p></body></html>
`

// A file is one file of the dashboard in its forms.
type file struct {
	contentType string
	etag        string
	immutable   bool
	plain       []byte
	br, gz      []byte // nil where the build made none
}

// A Handler serves the files of a dashboard. They are read once, when it is made.
type Handler struct {
	files map[string]*file
}

// New reads the files; dashboard may be nil.
func New(dashboard fs.FS) (*Handler, error) {
	h := &Handler{files: map[string]*file{}}
	if dashboard == nil {
		return h, nil
	}
	err := fs.WalkDir(dashboard, ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == "." {
			return nil // not built
		}
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		return h.add(dashboard, name)
	})
	if err != nil {
		return nil, fmt.Errorf("read dashboard: %w", err)
	}
	return h, nil
}

// hashed is a name that the build gave a content hash, such as app-3f9aB_c2.js: its
// content never changes.
var hashed = regexp.MustCompile(`[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$`)

func (h *Handler) add(dashboard fs.FS, name string) error {
	ext := path.Ext(name)
	if ext == ".br" || ext == ".gz" {
		return nil // read with the file that it is a form of
	}
	plain, err := fs.ReadFile(dashboard, name)
	if err != nil {
		return err
	}
	f := &file{plain: plain, immutable: strings.HasPrefix(name, "assets/") && hashed.MatchString(name)}
	if f.br, err = optional(dashboard, name+".br"); err != nil {
		return err
	}
	if f.gz, err = optional(dashboard, name+".gz"); err != nil {
		return err
	}
	f.contentType = contentType(ext, plain)
	sum := sha256.Sum256(plain)
	f.etag = hex.EncodeToString(sum[:8])
	h.files[name] = f
	return nil
}

func optional(fsys fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// contentType does not depend on what the machine has in /etc/mime.types for the
// types that browsers insist on.
func contentType(ext string, content []byte) string {
	switch ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".pbf", ".pmtiles":
		return "application/octet-stream"
	case ".woff2":
		return "font/woff2"
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return http.DetectContentType(content)
}

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, r, problem.New(problem.MethodNotAllowed, "this page can only be read"))
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	f := h.files[name]
	if f == nil && path.Ext(name) != "" && name != index {
		problem.Write(w, r, problem.New(problem.NotFound, "there is no such file"))
		return
	}
	if f == nil {
		f = h.files[index] // an address of the page itself
	}
	if f == nil {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(missing)) // the client is gone: nobody to tell
		return
	}
	f.serve(w, r)
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", f.contentType)
	if f.immutable {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Cache-Control", "no-cache")
	}
	body, tag := f.plain, f.etag
	if f.br != nil || f.gz != nil {
		head.Add("Vary", "Accept-Encoding")
		switch accepted := r.Header.Get("Accept-Encoding"); {
		case f.br != nil && accepts(accepted, "br"):
			body, tag = f.br, f.etag+"-br"
			head.Set("Content-Encoding", "br")
		case f.gz != nil && accepts(accepted, "gzip"):
			body, tag = f.gz, f.etag+"-gz"
			head.Set("Content-Encoding", "gzip")
		}
	}
	head.Set("ETag", `W/"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// accepts reports whether a coding is named and not refused with q=0.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
