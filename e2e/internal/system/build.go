package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Root is the top folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.work above the working directory: the end-to-end tests run inside the repository")
}

// Data is the path of a file of public traffic data beside the repository. The test
// is skipped where that folder is absent, as it is in a user's clone.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	dir := filepath.Join(filepath.Dir(Root(t)), "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("needs the public traffic data, which is not here: %v", err)
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Build compiles packages of the repository, such as "./standalone", without the race
// detector, since they are also what the benchmark measures, and without tables for
// debuggers, which halves the time of linking. When out is a folder, each program in it
// has the name of its package's folder.
func Build(ctx context.Context, out string, pkgs ...string) error {
	top, err := root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-ldflags=-w", "-o", out}, pkgs...)...)
	cmd.Dir = top
	if msg, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", pkgs, err, msg)
	}
	return nil
}

// RunBuilt builds packages into a folder that is there as long as the tests, tells use its
// name with a separator at the end, runs the tests and returns their exit code. It is the
// body of a TestMain.
func RunBuilt(m *testing.M, use func(folder string), pkgs ...string) int {
	dir, err := os.MkdirTemp("", "cityflow-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	folder := dir + string(filepath.Separator)
	if err := Build(ctx, folder, pkgs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(folder)
	return m.Run()
}
