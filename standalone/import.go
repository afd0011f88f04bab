package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/export"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/progress"
	"github.com/2zrhun/city-flow/simulator/replay"
)

const (
	// importBatch is how many readings go into one transaction.
	importBatch = 10_000
	// importMark is how often the place that an import has come to is kept.
	importMark = 2 * time.Second
	// maxImportRoads bounds the roads whose usual speed an import learns.
	maxImportRoads = 100_000
)

// An importer brings readings into the store and keeps how far it has come: an import that
// is broken off goes on there when it is started again.
type importer struct {
	store  store.ReadingWriter
	scorer *score.Scorer
	log    *slog.Logger
	mark   *bookmark
	meter  *progress.Meter

	pending  []traffic.Reading
	rejected []traffic.Rejected
	refused  int
	total    store.Appended
	saved    time.Time
}

// importReadings is `cityflow import readings FILE…`.
func importReadings(ctx context.Context, cmd *cli.Command) error {
	files := cmd.Args().Slice()
	if len(files) == 0 {
		return errors.New("import readings: no file given: want at least one FILE")
	}
	return withStore(ctx, cmd, func(st *sqlite.Store, log *slog.Logger) error {
		mark, err := openBookmark(filepath.Join(cmd.String("data-dir"), "import.json"), files)
		if err != nil {
			return err
		}
		i := &importer{
			store: st, scorer: score.NewScorer(maxImportRoads), log: log, mark: mark,
			meter: progress.New(os.Stderr, log), saved: time.Now(),
		}
		if !mark.Last.IsZero() {
			log.Info("going on where the import was broken off", "at", mark.Last)
		}
		if err := i.run(ctx, cmd, files, st); err != nil {
			return fmt.Errorf("import readings: %w", errors.Join(err, i.keep()))
		}
		fmt.Fprintf(cmd.Root().Writer, "readings imported: %d, there before: %d; rows refused: %d (see `cityflow rejected list`)\n",
			i.total.New, i.total.Duplicate, i.refused)
		return os.RemoveAll(mark.path)
	})
}

func (i *importer) run(ctx context.Context, cmd *cli.Command, files []string, roads store.RoadWriter) error {
	if filepath.Ext(files[0]) == ".parquet" {
		return i.parquet(ctx, files)
	}
	cfg := replayConfig(cmd, files)
	cfg.Speed, cfg.From = "max", i.mark.Last
	src, err := replay.Open(cfg, replay.Deps{Log: i.log, Reg: prometheus.NewRegistry(), OnRejected: i.refuse, Progress: i.meter})
	if err != nil {
		return err
	}
	known, err := chosen{Source: src}.roads(ctx)
	if err != nil {
		return err
	}
	if err := roads.PutRoads(ctx, known); err != nil {
		return err
	}
	if err := src.Run(ctx, i.take); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return i.flush(ctx)
}

// parquet imports files that `cityflow export` wrote.
func (i *importer) parquet(ctx context.Context, files []string) error {
	// Rows are in the order of time, so those of a single file before the mark are
	// stored. Of several files nobody knows which the mark was made in.
	var done time.Time
	if len(files) == 1 {
		done = i.mark.Last
	}
	for _, path := range files {
		if err := i.parquetFile(ctx, path, done); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return i.flush(ctx)
}

// parquetFile imports the rows of a file that are not before done.
func (i *importer) parquetFile(ctx context.Context, path string, done time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it is only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	i.meter.Begin(progress.Work{Title: "importing " + filepath.Base(path), Total: -1})
	defer i.meter.End()
	row := 0
	return export.ReadParquet(f, info.Size(), func(rs []traffic.Reading) error {
		good := rs[:0]
		for _, r := range rs {
			row++
			if r.At.Before(done) {
				continue
			}
			if err := r.Validate(time.Now()); err != nil {
				i.refuse(traffic.Rejected{
					At: time.Now().UTC().Truncate(traffic.Resolution), Origin: fmt.Sprintf("%s row %d", filepath.Base(path), row),
					Reason: traffic.ReasonOf(err), Detail: err.Error(),
				})
				continue
			}
			good = append(good, r)
		}
		i.meter.Add(int64(len(rs)))
		return i.take(ctx, good)
	})
}

func (i *importer) refuse(r traffic.Rejected) {
	i.refused++
	if len(i.rejected) < maxWaitingRejects {
		i.rejected = append(i.rejected, r)
	}
}

// take collects readings until a transaction is full.
func (i *importer) take(ctx context.Context, rs []traffic.Reading) error {
	i.pending = append(i.pending, rs...)
	if len(i.pending) < importBatch {
		return nil
	}
	return i.flush(ctx)
}

func (i *importer) flush(ctx context.Context) error {
	if len(i.pending)+len(i.rejected) == 0 {
		return nil
	}
	i.scorer.Score(i.pending)
	a, err := i.store.Append(ctx, store.Delivery{Readings: i.pending, Rejected: i.rejected})
	if err != nil {
		return err
	}
	i.total.New += a.New
	i.total.Duplicate += a.Duplicate
	if n := len(i.pending); n > 0 {
		i.mark.Last = i.pending[n-1].At
	}
	i.pending, i.rejected = i.pending[:0], nil
	if time.Since(i.saved) < importMark {
		return nil
	}
	return i.keep()
}

// keep notes how far the import has come, where it has come anywhere.
func (i *importer) keep() error {
	i.saved = time.Now()
	if i.mark.Last.IsZero() {
		return nil
	}
	return i.mark.save()
}
