package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
)

// putNetwork imports a file into the store and returns the network with what is to be
// said about it.
func putNetwork(ctx context.Context, st store.RoadWriter, path string, log *slog.Logger) (*roadnet.Network, *roadnet.Report, error) {
	net, report, err := roadnet.Import(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("import roads: %w", err)
	}
	if err := st.PutRoads(ctx, net.Roads); err != nil {
		return nil, nil, fmt.Errorf("import roads: %w", err)
	}
	log.Info("imported the road network", "file", path, "roads", report.Roads, "junctions", report.Nodes,
		"km", math.Round(report.LengthM/1000), "remarks", len(report.Issues))
	return net, report, nil
}

// importRoads is `cityflow import roads FILE…`.
func importRoads(ctx context.Context, cmd *cli.Command) error {
	if cmd.Args().Len() == 0 {
		return errors.New("import roads: no file given: want at least one FILE")
	}
	return withStore(ctx, cmd, func(st *sqlite.Store, log *slog.Logger) error {
		for _, path := range cmd.Args().Slice() {
			_, report, err := putNetwork(ctx, st, path, log)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.Root().Writer, "%s: %s", path, report)
			for _, issue := range report.Issues {
				fmt.Fprintf(cmd.Root().Writer, "  %s\n", issue)
			}
		}
		return nil
	})
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
