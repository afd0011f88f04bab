package e2e

import (
	"os"
	"testing"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// binary is the standalone program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(system.RunBuilt(m, func(folder string) { binary = folder + "standalone" }, "./standalone")) //nolint:forbidigo // as TestMain must
}
