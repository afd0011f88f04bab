package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/export"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/simulator/progress"
)

// exportFlags are the flags of `cityflow export readings|predictions`.
func exportFlags() []cli.Flag {
	bound := cli.TimestampConfig{Timezone: time.UTC, Layouts: []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly}}
	return []cli.Flag{
		&cli.TimestampFlag{Name: "from", Config: bound, Usage: "`TIME` of the first rows, 2026-03-02T08:00:00Z or 2026-03-02 (UTC); everything before --to when left out"},
		&cli.TimestampFlag{Name: "to", Config: bound, Usage: "`TIME` before which rows end; everything from --from on when left out"},
		&cli.StringFlag{Name: "format", Usage: "csv, ndjson, geojson or parquet; by the name of --out when left out, else csv"},
		&cli.StringFlag{Name: "out", Value: "-", TakesFile: true, Usage: "`FILE` to write; - is standard output"},
	}
}

// An exporter writes rows of one kind.
type exporter func(ctx context.Context, w io.Writer, f export.Format, st *sqlite.Store, win export.Window) (rows int, err error)

func exportReadings(ctx context.Context, w io.Writer, f export.Format, st *sqlite.Store, win export.Window) (int, error) {
	return export.Readings(ctx, w, f, st, win)
}

func exportPredictions(ctx context.Context, w io.Writer, f export.Format, st *sqlite.Store, win export.Window) (int, error) {
	return export.Predictions(ctx, w, f, st, win)
}

// run is the command. It may be used while the same folder's `cityflow up` runs.
func (e exporter) run(ctx context.Context, cmd *cli.Command) error {
	out := cmd.String("out")
	format, err := exportFormat(cmd.String("format"), out)
	if err != nil {
		return err
	}
	win := export.Window{From: cmd.Timestamp("from"), To: cmd.Timestamp("to")}
	if !win.From.IsZero() && !win.To.IsZero() && !win.From.Before(win.To) {
		return fmt.Errorf("to: %s is not allowed: want a time after --from %s", win.To.Format(time.RFC3339), win.From.Format(time.RFC3339))
	}
	return besideStore(ctx, cmd, func(st *sqlite.Store, log *slog.Logger) error {
		meter := progress.New(os.Stderr, log)
		meter.Begin(progress.Work{Title: "exporting", Total: -1})
		done := 0
		win.Progress = func(rows int) { meter.Add(int64(rows - done)); done = rows }
		rows := 0
		err := writeOut(cmd, out, func(w io.Writer) (err error) {
			rows, err = e(ctx, w, format, st, win)
			return err
		})
		meter.End()
		if err == nil {
			log.Info("exported", "rows", rows, "format", format, "file", out)
		}
		return err
	})
}

// exportFormat is the format that is named, or that the file's name tells.
func exportFormat(name, out string) (export.Format, error) {
	if name != "" {
		return export.ParseFormat(name)
	}
	if f, err := export.ParseFormat(strings.TrimPrefix(filepath.Ext(out), ".")); err == nil {
		return f, nil
	}
	return export.CSV, nil
}

// writeOut writes a file that is there whole or not at all, or standard output.
func writeOut(cmd *cli.Command, path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(cmd.Root().Writer)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-")
	if err != nil {
		return fmt.Errorf("out: %w", err)
	}
	err = errors.Join(write(part), part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

// besideStore opens the database for a command that only reads, also while a `cityflow
// up` works on it. A folder without a database is an error.
func besideStore(ctx context.Context, cmd *cli.Command, do func(*sqlite.Store, *slog.Logger) error) error {
	log, err := daemon.NewLogger(cmd, cmd.Root().ErrWriter)
	if err != nil {
		return err
	}
	f := folder{path: cmd.String("data-dir")}
	if _, err := os.Stat(f.database()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data-dir: %s holds no database: want the folder of a `cityflow up`", f.path)
	}
	st, err := sqlite.Open(ctx, f.database(), log)
	if err != nil {
		return err
	}
	return errors.Join(do(st, log), st.Close())
}
