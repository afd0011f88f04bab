package backtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes report.json and the plots into a folder, which is made.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, "report.json"))
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := errors.Join(r.JSON(f), f.Close()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return r.plots(dir)
}
