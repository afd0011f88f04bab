// Package realdata finds the real traffic data beside the repository for tests.
//
// The data is not part of the project: in a checkout without its folder, which is what a
// user's clone is, a test that asks for it is skipped, with a message that says where it was
// looked for. Only tests import this package.
package realdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of a file or folder of the data. It skips the test where there is
// no data at all, and fails it where only this is missing.
func Path(tb testing.TB, name ...string) string {
	tb.Helper()
	folder := filepath.Join(Root(tb), "..", "shared", "data")
	if _, err := os.Stat(folder); err != nil {
		tb.Skipf("real data is not here: %v", err)
	}
	path := filepath.Join(append([]string{folder}, name...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Fatal(err)
	}
	return path
}

// Root is the root of the checkout, the folder of go.work.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.work above the test: run it inside the repository")
		}
		dir = filepath.Dir(dir)
	}
}
