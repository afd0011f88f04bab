package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/upkeep"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-collector",
		Usage: "store what edges and sensors publish, each reading once",
		Flags: flags, Run: run,
	}.Command()
}

// run opens the store and the bus that the flags name and collects until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) (err error) {
	cfg, err := configure(cmd)
	if err != nil {
		return err
	}
	keep, err := upkeep.Configure(cmd)
	if err != nil {
		return err
	}
	db, err := timescale.Open(ctx, cmd.String("database-url"), p.Log)
	if err != nil {
		return fmt.Errorf("database-url: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	live, err := redis.Open(ctx, cmd.String("redis-url"), p.Log)
	if err != nil {
		return fmt.Errorf("redis-url: %w", err)
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	c, err := collector.New(cfg, db, live, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	keeper, err := upkeep.New(db, keep, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	p.Ready.Add("broker", c.BrokerReady)
	p.Ready.Add("store", c.StoreReady)
	p.Ready.Add("database", db.Ping)
	p.Ready.Add("redis", live.Ping)
	return p.Run(ctx,
		daemon.Stage{Name: "upkeep", Run: keeper.Run},
		daemon.Stage{Name: "collector", Run: c.Run},
	)
}
