package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// binary is the standalone program, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) } //nolint:forbidigo // as TestMain must

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cityflow-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	binary = filepath.Join(dir, "cityflow")
	if err := system.Build(ctx, binary, "./standalone"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
