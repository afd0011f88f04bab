package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// TestCommand runs the program on half a day of made-up speeds: too little for
// the models that learn, so it takes no time.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "speeds.csv")
	text := "1001,1002\n" + strings.Repeat("60,50\n59,52\n", 80)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := command()
	c.Action = func(ctx context.Context, cmd *cli.Command) error { return run(ctx, cmd, &out) }
	args := []string{"backtest", "--data", path, "--protocol", "tgcn", "--out", filepath.Join(dir, "out")}
	if err := c.Run(context.Background(), args); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"speeds: speed of 2 roads, 160 steps of 5 min, protocol tgcn, the first 128", "2012-03-01", "BENCH backtest_persistence_mae_15 ", "BENCH backtest_best_rmse_15 "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "report.json")); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{
		{"backtest"},
		{"backtest", "--data", filepath.Join(dir, "none.csv")},
		{"backtest", "--data", path, "--protocol", "other"},
	} {
		if err := command().Run(context.Background(), bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
