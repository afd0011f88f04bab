// Command backtest measures all forecasting models on a file of measurements, by a
// protocol of the field, and prints a table, and lines "BENCH name value unit".
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // files of Paris need their zone anywhere

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/backtest"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/dataset"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/daemon"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return &cli.Command{
		Name:  "cityflow-backtest",
		Usage: "measure the forecasting models on a file",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Required: true, Usage: "`FILE` of measurements: CSV, wide or long, of Paris or SCATS, plain or .gz"},
			&cli.StringFlag{Name: "protocol", Usage: "`NAME` of the protocol: tgcn, dcrnn, scats or hourly; empty takes the one that suits the file"},
			&cli.TimestampFlag{Name: "start", Config: cli.TimestampConfig{Layouts: []string{time.DateOnly, time.RFC3339}}, Usage: "`TIME` of the first row of a file without times"},
			&cli.DurationFlag{Name: "step", Value: 5 * time.Minute, Usage: "`TIME` between the rows of a file without times"},
			&cli.StringFlag{Name: "tz", Usage: "`ZONE` of the clock times in the file"},
			&cli.StringFlag{Name: "holidays", Usage: "`COUNTRY` whose public holidays are like Sundays: FR, or empty for none"},
			&cli.StringFlag{Name: "unit", Usage: "`UNIT` of the values, for the table"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`NUMBER` that random choices begin with"},
			&cli.StringFlag{Name: "out", Usage: "`FOLDER` for report.json and the plots; empty writes none"},
			&cli.BoolFlag{Name: "quick", Usage: "train one small-scale network instead of the real ones: a first look"},
			&cli.BoolFlag{Name: "verbose", Usage: "log the progress of the training"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error { return run(ctx, cmd, os.Stdout) },
	}
}

func run(ctx context.Context, cmd *cli.Command, to io.Writer) error {
	set, p, err := open(cmd)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if cmd.Bool("verbose") {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if cmd.Bool("quick") {
		p.Net = model.MLP{Nets: 1, MaxSamples: 300_000}
		set.Notes = append(set.Notes, "quick: one network, trained with 300,000 samples")
	}
	began := time.Now()
	b, err := backtest.Train(ctx, p, set.Grid, set.Graph, model.Options{Seed: cmd.Uint64("seed"), Log: log})
	if err != nil {
		return err
	}
	took := time.Since(began)
	scores, err := backtest.Run(p, set.Grid, b)
	if err != nil {
		return err
	}
	r := backtest.NewReport(p, set.Grid, b, scores)
	r.Data, r.Notes, r.Seconds, r.Seed = set.Name, set.Notes, took.Seconds(), cmd.Uint64("seed")
	if err := r.Table(to); err != nil {
		return err
	}
	if dir := cmd.String("out"); dir != "" {
		if err := r.Write(dir); err != nil {
			return err
		}
		fmt.Fprintf(to, "\nwritten to %s\n", dir)
	}
	fmt.Fprintln(to)
	r.Bench(to)
	return nil
}

// losLoopStart is when the files of T-GCN begin that have no times.
func losLoopStart() time.Time { return time.Date(2012, 3, 1, 0, 0, 0, 0, time.UTC) }

// open reads the file twice when zeros turn out to be missing values: only the protocol
// says so, and the protocol depends on the file.
func open(cmd *cli.Command) (*dataset.Set, backtest.Protocol, error) {
	o := dataset.Options{
		Start: cmd.Timestamp("start"), Step: cmd.Duration("step"), Zone: cmd.String("tz"),
		Holidays: cmd.String("holidays"), Unit: cmd.String("unit"),
	}
	assumed := o.Start.IsZero() && strings.EqualFold(cmd.String("protocol"), "tgcn")
	if assumed {
		o.Start = losLoopStart()
	}
	set, err := dataset.Open(cmd.String("data"), o)
	if err != nil {
		return nil, backtest.Protocol{}, err
	}
	if assumed && set.Grid.Start.Equal(losLoopStart()) {
		set.Notes = append(set.Notes, "the first row is taken for "+losLoopStart().Format(time.DateTime)+", as in T-GCN's Los-loop; --start says otherwise")
	}
	p, err := backtest.NewProtocol(cmd.String("protocol"), set.Grid)
	if err == nil && p.ZeroMissing {
		o.ZeroMissing = true
		set, err = dataset.Open(cmd.String("data"), o)
	}
	if err != nil {
		return nil, p, fmt.Errorf("read %s: %w", cmd.String("data"), err)
	}
	return set, p, nil
}
