package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
)

// gcPercent is how much garbage may lie about, as a share of what is in use. An edge's
// heap is small, so that collecting three times as often as Go would costs it little time
// and spares a small machine 10 MiB or so. The environment's GOGC goes before it.
const gcPercent = 30

func memoryFlag(set *daemon.Settings) cli.Flag {
	return &cli.Int64Flag{
		Name: "memory-mib", Sources: set.Sources("memory-mib"),
		Usage: "`MiB` that the process tries not to exceed, its program text aside; it spends more time on that the closer it is; 0 sets no aim",
	}
}

// limitMemory tells the garbage collector what the settings say.
func limitMemory(cmd *cli.Command) error {
	mib := cmd.Int64("memory-mib")
	if mib < 0 || mib > math.MaxInt64>>20 {
		return fmt.Errorf("memory-mib: %d is not allowed: want 0 or more", mib)
	}
	if mib > 0 {
		debug.SetMemoryLimit(mib << 20)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return nil
}
