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
		&cli.StringSliceFlag{Name: "models", Value: d.Models, Sources: set.Sources("models"), Usage: "`NAMES` of the models that may speak, separated by commas, in the order in which they do before their errors are known"},
		&cli.StringFlag{Name: "holidays", Value: d.Holidays, Sources: set.Sources("holidays"), Usage: "`COUNTRY` whose public holidays are like Sundays: FR, or empty for none"},
		&cli.IntFlag{Name: "shards", Value: d.Shards, Sources: set.Sources("shards"), Usage: "`NUMBER` of predictors that share the roads"},
		&cli.IntFlag{Name: "shard", Value: d.Shard, Sources: set.Sources("shard"), Usage: "which of them this one is, from 0: the `ORDINAL` of its pod"},
		&cli.StringFlag{Name: "data-dir", Sources: set.Sources("data-dir"), Usage: "`FOLDER` for trained models; empty keeps them in memory, so that they are trained anew after a start"},
		&cli.BoolFlag{Name: "train", Value: !d.Training.Off, Sources: set.Sources("train"), Usage: "train the models every night"},
		&cli.IntFlag{Name: "train-hour", Value: d.Training.Hour, Sources: set.Sources("train-hour"), Usage: "local `HOUR` after which they are trained"},
		&cli.DurationFlag{Name: "train-history", Value: d.Training.History, Sources: set.Sources("train-history"), Usage: "`TIME` that training looks back, at least 48h"},
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
	cfg.Models, cfg.Holidays = cmd.StringSlice("models"), cmd.String("holidays")
	cfg.Shard, cfg.Shards = cmd.Int("shard"), cmd.Int("shards")
	cfg.Training.Off, cfg.Training.Dir = !cmd.Bool("train"), cmd.String("data-dir")
	cfg.Training.Hour, cfg.Training.History = cmd.Int("train-hour"), cmd.Duration("train-history")
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

	part, err := predictor.New(cfg, predictor.Deps{Store: db, News: news}, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	p.Ready.Add("predictor", part.Ready)
	p.Ready.Add("redis", news.Ping)
	return p.Run(ctx, daemon.Stage{Name: "predictor", Run: part.Run})
}
