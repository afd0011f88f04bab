package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/simulator/fleet"
)

func fleetFlags(set *daemon.Settings) []cli.Flag {
	d := fleet.DefaultConfig()
	return []cli.Flag{
		text(set, "broker-url", d.BrokerURL, "`URL` of the central broker"),
		number(set, "edges", d.Edges, "number of edges, 1 to 1000"),
		number(set, "sensors", d.Sensors, "sensors of each edge"),
		text(set, "prefix", d.Prefix, "what the edges' names begin with"),
		&cli.FloatFlag{Name: "rate", Value: d.Rate, Sources: set.Sources("rate"), Usage: "readings per second over all edges; 0 is as fast as they are acknowledged"},
		number(set, "batch", d.Batch, "readings in a batch; 0 is what an edge collects in a second"),
		&cli.Int64Flag{Name: "total", Value: d.Total, Sources: set.Sources("total"), Usage: "end after so many readings; 0 does not end"},
		&cli.DurationFlag{Name: "step", Value: d.Step, Sources: set.Sources("step"), Usage: "event time between two readings of a sensor; 0 is what fits the rate"},
		&cli.DurationFlag{Name: "ack-timeout", Value: d.AckTimeout, Sources: set.Sources("ack-timeout"), Usage: "time after which an unacknowledged batch is sent again"},
		&cli.UintFlag{Name: "seed", Value: uint(d.Seed), Sources: set.Sources("seed"), Usage: "the `NUMBER` that the readings are drawn from"},
	}
}

// playFleet runs the fleet until its total is acknowledged or ctx ends.
func playFleet(ctx context.Context, cmd *cli.Command) error {
	p, err := daemon.NewProcess(cmd)
	if err != nil {
		return err
	}
	cfg := fleet.DefaultConfig()
	cfg.BrokerURL, cfg.Prefix = cmd.String("broker-url"), cmd.String("prefix")
	cfg.Edges, cfg.Sensors, cfg.Batch = cmd.Int("edges"), cmd.Int("sensors"), cmd.Int("batch")
	cfg.Rate, cfg.Total, cfg.Step = cmd.Float("rate"), cmd.Int64("total"), cmd.Duration("step")
	cfg.AckTimeout, cfg.Seed = cmd.Duration("ack-timeout"), uint64(cmd.Uint("seed"))
	f, err := fleet.New(cfg, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	return serve(ctx, cmd, p, daemon.Stage{Name: "fleet", Run: f.Run})
}
