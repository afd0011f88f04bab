// Package dashboard is the built control-room page as files inside the binary.
//
// It promises a file system whose root holds index.html once the page was built
// (`npm ci && npm run build` in this folder), and which is empty but for .gitkeep
// before that, so that Go builds on a fresh clone. It serves nothing itself: the API
// does, and tells people what to do when index.html is missing. The page's source
// is TypeScript, see README.md in this folder.
package dashboard

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built page. Files under assets/ have their content's hash in
// their name and may be cached for ever; index.html may not.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		// Sub refuses only malformed names, and this one is a constant.
		panic(err)
	}
	return files
}
