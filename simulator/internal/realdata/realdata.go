// Package realdata finds the real traffic data beside the repository for tests.
//
// The data is not part of the project: a test that asks for it is skipped, with a
// message that says where it was looked for, in a checkout without it. Only tests
// import this package.
package realdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of a file or folder of the data, or skips the test.
func Path(tb testing.TB, name ...string) string {
	tb.Helper()
	path := filepath.Join(append([]string{Root(tb), "..", "shared", "data"}, name...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("real data is not here: %v", err)
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
			tb.Skip("real data is not here: no go.work above the test")
		}
		dir = filepath.Dir(dir)
	}
}
