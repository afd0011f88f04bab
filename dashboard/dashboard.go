// Package dashboard holds the control-room page as it was built, for the programs that
// serve it. The page itself is TypeScript in src; `make dashboard` builds it into dist.
package dashboard

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files is the built page with index.html at its root. It holds no index.html when the
// program was built before the page.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: fs.Sub knows no other error
	}
	return files
}
