package main

import (
	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/daemon"
)

func flags(set *daemon.Settings) []cli.Flag {
	text := func(name, value, usage string) *cli.StringFlag {
		return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Sources: set.Sources(name), Usage: usage}
	}
	number := func(name string, value int, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	d := api.Default()
	database := text("database-url", "", "`URL` of the PostgreSQL database, such as postgres://user:password@host/cityflow")
	database.Required = true
	key := text("token-key", "", "`SECRET` of at least 32 bytes that signs access tokens, the same in all replicas")
	key.Required = true
	return []cli.Flag{
		database, key,
		text("redis-url", "redis://localhost:6379/0", "`URL` of the Redis server that carries live updates"),
		text("api-addr", d.Addr, "`ADDRESS` that serves the API and the dashboard"),
		text("admin-email", d.AdminEmail, "`ADDRESS` of the first admin, who is created when there are no users"),
		text("admin-password", "", "the first admin's `PASSWORD`; a random one is logged once when it is empty"),
		&cli.BoolFlag{
			Name: "registration", Sources: set.Sources("registration"),
			Usage: "let anybody make an account that may read",
		},
		&cli.BoolFlag{
			Name: "open-metrics", Sources: set.Sources("open-metrics"),
			Usage: "serve /metrics of the API's address to everybody; --http-addr always has it",
		},
		&cli.DurationFlag{
			Name: "refresh-ttl", Value: d.RefreshTTL, Sources: set.Sources("refresh-ttl"),
			Usage: "`TIME` after which somebody who was not here has to log in again",
		},
		text("edge-ca-cert", "", "`FILE` with the certificate (PEM) of the authority that signs the edges' certificates; without one no edge can be enrolled"),
		text("edge-ca-key", "", "`FILE` with the key (PEM) that goes with it"),
		list("origins", "`ORIGINS` of other web pages that may use the API, such as https://city.example, separated by commas"),
		list("trusted-proxies", "`ADDRESSES` or networks whose X-Forwarded-For is believed, separated by commas"),
		list("map-sources", "`ORIGINS` that the dashboard may load maps from, separated by commas"),
		number("logins-per-minute", d.AuthPerMinute, "`NUMBER` of logins that each address may try in a minute"),
		number("requests-per-second", d.RequestsPerSecond, "`NUMBER` of requests that each user may make in a second, four times as many at once"),
		number("max-streams", d.MaxStreams, "`NUMBER` of WebSocket clients that this process takes"),
	}
}

func config(cmd *cli.Command) api.Config {
	cfg := api.Default()
	cfg.Addr, cfg.TokenKey = cmd.String("api-addr"), []byte(cmd.String("token-key"))
	cfg.AdminEmail, cfg.AdminPassword = cmd.String("admin-email"), cmd.String("admin-password")
	cfg.Registration, cfg.OpenMetrics = cmd.Bool("registration"), cmd.Bool("open-metrics")
	cfg.RefreshTTL = cmd.Duration("refresh-ttl")
	cfg.Origins, cfg.TrustedProxies = cmd.StringSlice("origins"), cmd.StringSlice("trusted-proxies")
	cfg.MapSources = cmd.StringSlice("map-sources")
	cfg.AuthPerMinute, cfg.RequestsPerSecond = cmd.Int("logins-per-minute"), cmd.Int("requests-per-second")
	cfg.MaxStreams = cmd.Int("max-streams")
	return cfg
}
