package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
)

// command is the command line of cityflow.
func command() *cli.Command {
	var set daemon.Settings
	dataDir := func() cli.Flag {
		return &cli.StringFlag{
			Name: "data-dir", Value: "data", Sources: set.Sources("data-dir"), TakesFile: true,
			Usage: "`DIR` where everything is kept",
		}
	}
	return &cli.Command{
		Name:   "cityflow",
		Usage:  "watch and steer a city's road traffic, in one process",
		Flags:  append([]cli.Flag{set.Flag()}, daemon.LogFlags(&set)...),
		Before: set.Check,
		Commands: []*cli.Command{
			{
				Name:  "up",
				Usage: "start everything and print the dashboard's address",
				Description: "Readings come from --source, and from every sensor that publishes to the MQTT\n" +
					"port on cityflow/traffic/{sensor_id}. Ctrl-C stops; the next start goes on.",
				Flags:  append(upFlags(&set), dataDir()),
				Action: up,
			},
			{
				Name:  "import",
				Usage: "bring data into the data folder",
				Commands: []*cli.Command{
					{
						Name: "roads", ArgsUsage: "FILE…", Flags: append(roadsFlags(), dataDir()), Action: importRoads,
						Usage: "import a road network: an OpenStreetMap extract (.osm, .osm.gz, .osm.pbf), the Paris reference (CSV or GeoJSON) or street graph, or a saved network",
						Description: "What a file is, is seen by its content. What could not be used is listed with the\n" +
							"reason, how often, and the first places; --report has all of it.",
					},
					{
						Name: "readings", ArgsUsage: "FILE…", Action: importReadings,
						Flags: append(replayFlags(&set), zoneFlag(&set), dataDir()),
						Usage: "import recorded readings: what `up --source replay` plays, and Parquet that `export` wrote",
						Description: "Readings that are there already stay as they are. An import that is broken off\n" +
							"goes on where it was when it is started again with the same files.",
					},
				},
			},
			{
				Name:  "export",
				Usage: "write what is stored as CSV, NDJSON or Parquet, also while `up` runs",
				Commands: []*cli.Command{
					{
						Name: "readings", Flags: append(exportFlags(), dataDir()), Action: exporter(exportReadings).run,
						Usage: "write readings, oldest first",
					},
					{
						Name: "predictions", Flags: append(exportFlags(), dataDir()), Action: exporter(exportPredictions).run,
						Usage: "write forecasts, newest first",
					},
				},
			},
			{
				Name: "backup", ArgsUsage: "DIR", Flags: []cli.Flag{dataDir()}, Action: backup,
				Usage: "copy everything that is stored into a new folder, also while `up` runs",
			},
			{
				Name: "restore", ArgsUsage: "DIR", Flags: []cli.Flag{dataDir()}, Action: restore,
				Usage: "make a data folder from a backup",
			},
			{
				Name:  "rejected",
				Usage: "look at what was refused",
				Commands: []*cli.Command{
					{
						Name: "list", Flags: []cli.Flag{dataDir(), limitFlag()}, Action: listRejected,
						Usage: "list refused rows and messages, newest first, with where they came from and why, also while `up` runs",
					},
					{
						Name: "replay", Flags: []cli.Flag{dataDir()}, Action: replayRejected,
						Usage: "judge refused messages once more, such as after an update, also while `up` runs",
						Description: "What is valid now is stored, once, and leaves the list; the rest stays, and the\n" +
							"command says why.",
					},
				},
			},
			{
				Name: "version", Usage: "print the version",
				Action: func(_ context.Context, cmd *cli.Command) error {
					_, err := fmt.Fprintln(cmd.Root().Writer, "cityflow", daemon.Version())
					return err
				},
			},
		},
	}
}

func limitFlag() cli.Flag {
	return &cli.IntFlag{Name: "limit", Value: 50, Usage: "at most `N` lines", Validator: func(n int) error {
		if n < 1 {
			return fmt.Errorf("%d is not allowed: want at least 1", n)
		}
		return nil
	}}
}
