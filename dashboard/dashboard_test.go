package dashboard

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

func TestFilesIsRootedAtTheBuiltPage(t *testing.T) {
	if _, err := fs.Stat(Files(), ".gitkeep"); err != nil {
		t.Fatalf("dist/.gitkeep is not embedded: %v", err)
	}
	if _, err := fs.Stat(Files(), "dist"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Files has a folder dist; want its content at the root (err %v)", err)
	}
}

// Everything that index.html loads must be inside the binary: the page has to work
// without internet.
func TestBuiltPageIsComplete(t *testing.T) {
	page, err := fs.ReadFile(Files(), "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the page is not built; run `npm ci && npm run build` in dashboard/")
	}
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(page), -1)
	if len(links) < 3 {
		t.Fatalf("index.html loads %d files; want script, style and icon", len(links))
	}
	for _, link := range links {
		name, local := strings.CutPrefix(link[1], "/")
		if !local {
			t.Errorf("index.html loads %s from elsewhere", link[1])
			continue
		}
		if _, err := fs.Stat(Files(), name); err != nil {
			t.Errorf("index.html loads %s: %v", link[1], err)
		}
	}
	if regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]`).Match(page) {
		t.Error("index.html holds an inline script; a strict Content-Security-Policy refuses it")
	}
}
