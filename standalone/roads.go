package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/simulator/progress"
)

// putNetwork imports a file into the store and returns the network.
func putNetwork(ctx context.Context, st store.RoadWriter, path string, log *slog.Logger) (*roadnet.Network, error) {
	net, report, err := roadnet.Import(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("import roads: %w", err)
	}
	return net, keepNetwork(ctx, st, net, report, log)
}

// keepNetwork puts an imported network into the store.
func keepNetwork(ctx context.Context, st store.RoadWriter, net *roadnet.Network, report *roadnet.Report, log *slog.Logger) error {
	if err := st.PutRoads(ctx, net.Roads); err != nil {
		return fmt.Errorf("import roads: %w", err)
	}
	log.Info("imported the road network", "file", report.Source.File, "roads", report.Roads, "junctions", report.Nodes,
		"km", math.Round(report.LengthM/1000), "remarks", len(report.Issues))
	return nil
}

// roadsFlags are the flags of `cityflow import roads` beside the data folder.
func roadsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "report", TakesFile: true, Usage: "write what was dropped and why, and how the sensors matched, to `FILE` as JSON"},
		&cli.StringFlag{Name: "sensors", TakesFile: true, Usage: "match the sensors of `FILE` to the roads: a table with sensor_id, lat, lng and perhaps bearing, or counting arcs as a road network"},
		&cli.StringFlag{Name: "save", TakesFile: true, Usage: "write the network, with its forbidden turns, to `FILE` in CityFlow's own compact format"},
		&cli.StringFlag{Name: "country", Usage: "`CODE` of the country (FR, DE, …) whose speed limits hold where the map says none; without it, the one that the map names most"},
	}
}

// importRoads is `cityflow import roads FILE…`.
func importRoads(ctx context.Context, cmd *cli.Command) error {
	files := cmd.Args().Slice()
	if len(files) == 0 {
		return errors.New("import roads: no file given: want at least one FILE")
	}
	if cmd.String("save") != "" && len(files) > 1 {
		return fmt.Errorf("import roads: --save with %d files is not allowed: want one FILE", len(files))
	}
	sensors, err := readSensors(ctx, cmd.String("sensors"))
	if err != nil {
		return fmt.Errorf("import roads: %w", err)
	}
	return withStore(ctx, cmd, func(st *sqlite.Store, log *slog.Logger) error {
		i := &roadImport{store: st, log: log, out: cmd.Root().Writer, meter: progress.New(os.Stderr, log), country: cmd.String("country"), sensors: sensors}
		for _, path := range files {
			if err := i.file(ctx, path); err != nil {
				return err
			}
		}
		return errors.Join(i.save(cmd.String("save")), i.writeReport(cmd.String("report")))
	})
}

// file imports one file, showing how far it is.
func (i *roadImport) file(ctx context.Context, path string) error {
	i.meter.Begin(progress.Work{Title: "importing " + filepath.Base(path), Total: sizeOf(path), Bytes: true})
	net, report, err := roadnet.ImportWith(ctx, path, roadnet.Options{Country: i.country, Progress: i.meter.Add})
	i.meter.End()
	if err != nil {
		return fmt.Errorf("import roads: %w", err)
	}
	if err := keepNetwork(ctx, i.store, net, report, i.log); err != nil {
		return err
	}
	i.network = net
	result := roadFile{File: path, Report: report}
	i.tell(path, report)
	if i.sensors != nil {
		if result.Sensors, err = i.match(net); err != nil {
			return fmt.Errorf("import roads: %w", err)
		}
	}
	i.results = append(i.results, result)
	return nil
}

// sizeOf is the size of a file, -1 when it cannot be told.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// withStore opens the data folder for a command that ends by itself.
func withStore(ctx context.Context, cmd *cli.Command, do func(*sqlite.Store, *slog.Logger) error) error {
	log, err := daemon.NewLogger(cmd, cmd.Root().ErrWriter)
	if err != nil {
		return err
	}
	f, err := openFolder(cmd.String("data-dir"))
	if err != nil {
		return err
	}
	st, err := sqlite.Open(ctx, f.database(), log)
	if err != nil {
		return errors.Join(err, f.close())
	}
	return errors.Join(do(st, log), st.Close(), f.close())
}
