package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// keepInterval is how often what the scorer has learned is written: some 120 kB for a
// thousand roads. What a power cut loses of it is learnt again.
const keepInterval = time.Hour

func (a *Agent) scoresPath() string { return filepath.Join(a.cfg.StateDir, "roads.scores") }

// recallScores takes up what an earlier process learned about the roads. Without it, or when
// it is damaged, learning begins anew.
func (a *Agent) recallScores() {
	if a.cfg.StateDir == "" {
		return
	}
	content, err := os.ReadFile(a.scoresPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = a.scorer.UnmarshalBinary(content)
	}
	if err != nil {
		a.log.Warn("what is normal on each road is learnt anew", "error", err)
	}
}

// keepScores writes what was learned now and then until ctx ends.
func (a *Agent) keepScores(ctx context.Context) {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.saveScores()
		case <-ctx.Done():
			return
		}
	}
}

func (a *Agent) saveScores() {
	if a.cfg.StateDir == "" {
		return
	}
	content, err := a.scorer.MarshalBinary()
	if err == nil {
		err = atomicfile.Write(a.scoresPath(), content, 0o640)
	}
	if err != nil {
		a.log.Warn("cannot keep what is normal on each road", "error", err)
	}
}
