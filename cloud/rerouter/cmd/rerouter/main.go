// Command rerouter advises detours for a city whose readings and forecasts are in
// PostgreSQL.
//
// It can be stopped and started at any time: advice is about the newest forecasts, and
// nothing is kept but in the database.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // the image has no zone files

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/rerouter"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-rerouter",
		Usage: "advise detours around roads that will be congested",
		Flags: flags,
		Run:   run,
	}.Command()
}

func flags(set *daemon.Settings) []cli.Flag {
	d := rerouter.Default()
	return []cli.Flag{
		&cli.StringFlag{Name: "database-url", Required: true, Sources: set.Sources("database-url"), Usage: "`URL` of the PostgreSQL database, such as postgres://user:password@host/cityflow"},
		&cli.StringFlag{Name: "redis-url", Value: "redis://localhost:6379/0", Sources: set.Sources("redis-url"), Usage: "`URL` of the Redis server that carries the news"},
		&cli.StringFlag{Name: "roads", Sources: set.Sources("roads"), TakesFile: true, Usage: "road network `FILE` to put into the database first: the Paris reference (CSV or GeoJSON) or a saved network"},
		&cli.StringFlag{Name: "tz", Value: "Europe/Paris", Sources: set.Sources("tz"), Usage: "the city's time `ZONE`, for the times in the advice"},
		&cli.IntFlag{Name: "horizon", Value: d.HorizonMin, Sources: set.Sources("horizon"), Usage: "how many `MINUTES` ahead the forecasts look that call for advice"},
		&cli.FloatFlag{Name: "threshold", Value: d.Threshold, Sources: set.Sources("threshold"), Usage: "predicted `SCORE` (0 to 1) from which a road counts as congested"},
		&cli.FloatFlag{Name: "min-confidence", Value: d.MinConfidence, Sources: set.Sources("min-confidence"), Usage: "least `CONFIDENCE` (0 to 1) of a forecast that calls for advice"},
		&cli.DurationFlag{Name: "min-gain", Value: d.MinGain, Sources: set.Sources("min-gain"), Usage: "least `TIME` that a detour must save"},
		&cli.DurationFlag{Name: "poll", Value: d.PollEvery, Sources: set.Sources("poll"), Usage: "`TIME` between two looks at the database when Redis says nothing"},
	}
}

func config(cmd *cli.Command) (rerouter.Config, error) {
	cfg := rerouter.Default()
	zone, err := time.LoadLocation(cmd.String("tz"))
	if err != nil {
		return cfg, fmt.Errorf("tz %q: want a name such as Europe/Paris: %w", cmd.String("tz"), err)
	}
	cfg.Zone = zone
	cfg.HorizonMin = cmd.Int("horizon")
	cfg.Threshold, cfg.MinConfidence = cmd.Float("threshold"), cmd.Float("min-confidence")
	cfg.MinGain, cfg.PollEvery = cmd.Duration("min-gain"), cmd.Duration("poll")
	return cfg, cfg.Validate()
}

// run opens the store and the bus and advises until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) (err error) {
	cfg, err := config(cmd)
	if err != nil {
		return err
	}
	db, err := timescale.Open(ctx, cmd.String("database-url"), p.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if path := cmd.String("roads"); path != "" {
		if err := putRoads(ctx, db, path, p); err != nil {
			return err
		}
	}
	news, err := redis.Open(ctx, cmd.String("redis-url"), p.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, news.Close()) }()

	part, err := rerouter.New(cfg, db, news, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	p.Ready.Add("rerouter", part.Ready)
	p.Ready.Add("redis", news.Ping)
	return p.Run(ctx, daemon.Stage{Name: "rerouter", Run: part.Run})
}

// putRoads imports a network file into the store.
func putRoads(ctx context.Context, db store.RoadWriter, path string, p *daemon.Process) error {
	network, report, err := roadnet.Import(ctx, path)
	if err != nil {
		return err
	}
	if err := db.PutRoads(ctx, network.Roads); err != nil {
		return fmt.Errorf("store roads: %w", err)
	}
	p.Log.Info("imported the road network", "file", path, "roads", report.Roads, "junctions", report.Nodes, "remarks", len(report.Issues))
	return nil
}
