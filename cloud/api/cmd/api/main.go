// Command api serves a city whose data is in PostgreSQL: REST, the live stream and the
// dashboard on one address, health, readiness and metrics on another.
//
// Replicas need the same --token-key and nothing else in common but the database and
// Redis; without Redis they read the database every few seconds.
package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/dashboard"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store/timescale"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-api",
		Usage: "serve REST, the live stream and the dashboard",
		Flags: flags,
		Run:   run,
	}.Command()
}

// run opens the store and the bus and serves until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) (err error) {
	cfg := config(cmd)
	if err := cfg.Validate(); err != nil {
		return err
	}
	ca, err := api.OpenEdgeAuthority(cmd.String("edge-ca-cert"), cmd.String("edge-ca-key"))
	if err != nil {
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

	part, err := api.New(cfg, api.Parts{
		Store: db, Bus: news, EdgeCA: ca, Dashboard: dashboard.Files(), Metrics: p.Metrics,
	}, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	ln, err := daemon.Listen(ctx, "api-addr", cfg.Addr)
	if err != nil {
		return err
	}
	p.Log.Info("serving the API and the dashboard", "addr", ln.Addr().String())
	p.Ready.Add("api", part.Ready)
	return p.Run(ctx, daemon.Stage{Name: "api", Run: func(ctx context.Context) error { return part.Serve(ctx, ln) }})
}
