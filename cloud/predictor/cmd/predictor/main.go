// Command predictor forecasts congestion for a city whose readings are in PostgreSQL.
//
// It can be stopped and started at any time: it goes on where the stored predictions
// end.
package main

import (
	"context"
	"errors"
	_ "time/tzdata" // the image has no zone files

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/predictor"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store/timescale"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-predictor",
		Usage: "forecast the congestion of every road",
		Flags: flags,
		Run:   run,
	}.Command()
}

func flags(set *daemon.Settings) []cli.Flag {
	d := predictor.Default()
	return []cli.Flag{
		&cli.StringFlag{Name: "database-url", Required: true, Sources: set.Sources("database-url"), Usage: "`URL` of the PostgreSQL database, such as postgres://user:password@host/cityflow"},
		&cli.StringFlag{Name: "redis-url", Value: "redis://localhost:6379/0", Sources: set.Sources("redis-url"), Usage: "`URL` of the Redis server that carries the news"},
		&cli.StringFlag{Name: "tz", Value: d.Zone, Sources: set.Sources("tz"), Usage: "the city's time `ZONE`, for the rush hours"},
		&cli.IntSliceFlag{Name: "horizons", Value: d.Horizons, Sources: set.Sources("horizons"), Usage: "how many `MINUTES` ahead to predict, separated by commas"},
		&cli.DurationFlag{Name: "quiet", Value: d.Quiet, Sources: set.Sources("quiet"), Usage: "`TIME` without news after which the newest readings are predicted from early"},
		&cli.DurationFlag{Name: "poll", Value: d.Poll, Sources: set.Sources("poll"), Usage: "`TIME` between two looks at the database when Redis says nothing"},
	}
}

// run opens the store and the bus and predicts until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) (err error) {
	cfg := predictor.Default()
	cfg.Zone = cmd.String("tz")
	cfg.Horizons = cmd.IntSlice("horizons")
	cfg.Quiet, cfg.Poll = cmd.Duration("quiet"), cmd.Duration("poll")
	if err := cfg.Validate(); err != nil {
		return err
	}
	db, err := timescale.Open(ctx, cmd.String("database-url"), p.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	news, err := redis.Open(ctx, cmd.String("redis-url"), p.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, news.Close()) }()

	part, err := predictor.New(cfg, predictor.Deps{History: db, Forecasts: db, News: news}, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	p.Ready.Add("predictor", part.Ready)
	p.Ready.Add("redis", news.Ping)
	return p.Run(ctx, daemon.Stage{Name: "predictor", Run: part.Run})
}
