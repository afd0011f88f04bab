package main

import (
	"context"
	"crypto/tls"
	"errors"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/edge/agent"
	"github.com/2zrhun/city-flow/edge/clock"
	"github.com/2zrhun/city-flow/edge/enrol"
	"github.com/2zrhun/city-flow/edge/page"
	"github.com/2zrhun/city-flow/shared/daemon"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-edge",
		Usage: "take sensor readings over MQTT, keep them until the centre has them, score roads locally",
		Flags: flags, Run: run,
		Commands: func(set *daemon.Settings) []*cli.Command {
			return []*cli.Command{enrolCommand(set), userCommand(set), doctorCommand()}
		},
	}.Command()
}

func flags(set *daemon.Settings) []cli.Flag {
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	def := agent.Default()
	own := []cli.Flag{
		text("edge-id", "", "`NAME` of this edge, unique in the city; when empty, the one in its certificate, else the host's name"),
		text("data-dir", "/var/lib/cityflow-edge", "`FOLDER` of the buffer and of the edge's certificate"),
		text("central-url", "", "`URL` of the central broker, tcp://host:1883 or tls://host:8883; when empty, the collector is expected on this edge's own broker"),
		text("central-username", "", "`NAME` to log in with at the central broker"),
		text("central-password", "", "`PASSWORD` that goes with it"),
		text("central-ca", "", "`FILE` with the certificates (PEM) that may have signed the central broker's, instead of the system's"),
		text("clock", string(clock.Auto), "how far to trust this machine's `CLOCK`: auto, while it is synchronised by NTP, otherwise the centre's; trusted, always"),
		&cli.DurationFlag{
			Name: "commit-interval", Value: def.Buffer.CommitInterval, Sources: set.Sources("commit-interval"),
			Usage: "how long readings may wait for others before they are written together and acknowledged; less wears SD cards more",
		},
		&cli.Int64Flag{
			Name: "buffer-mib", Value: def.Buffer.MaxBytes >> 20, Sources: set.Sources("buffer-mib"),
			Usage: "`MiB` of disk that the buffer may take; sensors are sent away while it is full",
		},
	}
	own = append(own, memoryFlag(set))
	return append(own, brokerFlags(set)...)
}

// run opens the agent that the flags describe and runs it until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) error {
	id, err := identity(cmd)
	if err != nil {
		return err
	}
	cfg, err := configure(cmd, id)
	if err != nil {
		return err
	}
	if err := limitMemory(cmd); err != nil {
		return err
	}
	warnOfPlainPasswords(p.Log, &cfg.Broker)
	var keeper *enrol.Keeper
	if id != nil {
		keeper = enrol.NewKeeper(id, p.Log, p.Metrics)
		cfg.Certificate = keeper.State
	}
	cfg.LogLevel = p.Level
	a, err := agent.New(cfg, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	if p.Page, err = page.New(a, p.Log); err != nil {
		return errors.Join(err, a.Close())
	}
	p.Ready.Add("buffer", a.CheckBuffer)
	p.Ready.Add("uplink", a.CheckUplink)
	p.Ready.Add("clock", a.CheckClock)
	stages := []daemon.Stage{
		{Name: "broker", Run: a.RunBroker},
		{Name: "uplink", Run: a.RunUplink},
		{Name: "intake", Run: a.RunIntake},
	}
	if keeper != nil {
		stages = append(stages, daemon.Stage{Name: "certificate", Run: keeper.Run})
	}
	err = p.Run(ctx, stages...)
	return errors.Join(err, a.Close())
}

// configure reads the settings; id is nil for an edge that was not enrolled.
func configure(cmd *cli.Command, id *enrol.Identity) (cfg agent.Config, err error) {
	cfg = agent.Default()
	cfg.Version = daemon.Version()
	if cfg.Edge, err = edgeName(cmd, id); err != nil {
		return cfg, err
	}
	cfg.StateDir = cmd.String("data-dir")
	cfg.Clock.Mode, cfg.Clock.Built = clock.Mode(cmd.String("clock")), built(cfg.Clock.Built)
	cfg.Buffer.Dir = filepath.Join(cmd.String("data-dir"), "buffer")
	cfg.Buffer.CommitInterval = cmd.Duration("commit-interval")
	cfg.Buffer.MaxBytes = cmd.Int64("buffer-mib") << 20
	cfg.Uplink.URL = cmd.String("central-url")
	cfg.Uplink.User, cfg.Uplink.Password = cmd.String("central-username"), cmd.String("central-password")
	if cfg.Broker, err = brokerConfig(cmd); err != nil {
		return cfg, err
	}
	pool, err := roots(cmd.String("central-ca"))
	switch {
	case err != nil:
		return cfg, err
	case id != nil:
		cfg.Uplink.TLS = id.TLS(pool)
	case pool != nil:
		cfg.Uplink.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return cfg, nil
}
