package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/edge/agent"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	return daemon.Service{
		Name:  "cityflow-edge",
		Usage: "take sensor readings over MQTT, keep them until the centre has them, score roads locally",
		Flags: flags, Run: run,
	}.Command()
}

func flags(set *daemon.Settings) []cli.Flag {
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	def := agent.Default()
	return []cli.Flag{
		text("edge-id", "", "`NAME` of this edge, unique in the city; the host's name when empty"),
		text("data-dir", "/var/lib/cityflow-edge", "`FOLDER` of the buffer"),
		text("mqtt-addr", ":1883", "`ADDRESS` that sensors publish to"),
		text("mqtt-username", "", "`NAME` that sensors on other machines log in with; without one they are refused"),
		text("mqtt-password", "", "`PASSWORD` that goes with it"),
		text("central-url", "", "`URL` of the central broker, tcp://host:1883 or tls://host:8883; when empty, the collector is expected on this edge's own broker"),
		text("central-username", "", "`NAME` to log in with at the central broker"),
		text("central-password", "", "`PASSWORD` that goes with it"),
		text("central-ca", "", "`FILE` with the certificates (PEM) that may have signed the central broker's, instead of the system's"),
		&cli.DurationFlag{
			Name: "commit-interval", Value: def.Buffer.CommitInterval, Sources: set.Sources("commit-interval"),
			Usage: "how long readings may wait for others before they are written together and acknowledged; less wears SD cards more",
		},
		&cli.Int64Flag{
			Name: "buffer-mib", Value: def.Buffer.MaxBytes >> 20, Sources: set.Sources("buffer-mib"),
			Usage: "`MiB` of disk that the buffer may take; sensors are sent away while it is full",
		},
	}
}

// run opens the agent that the flags describe and runs it until ctx ends.
func run(ctx context.Context, cmd *cli.Command, p *daemon.Process) error {
	cfg, err := configure(cmd)
	if err != nil {
		return err
	}
	a, err := agent.New(cfg, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	p.Ready.Add("buffer", a.CheckBuffer)
	p.Ready.Add("uplink", a.CheckUplink)
	err = p.Run(ctx,
		daemon.Stage{Name: "broker", Run: a.RunBroker},
		daemon.Stage{Name: "uplink", Run: a.RunUplink},
		daemon.Stage{Name: "intake", Run: a.RunIntake},
	)
	return errors.Join(err, a.Close())
}

func configure(cmd *cli.Command) (agent.Config, error) {
	cfg := agent.Default()
	cfg.Version = daemon.Version()
	cfg.Edge = traffic.EdgeID(cmd.String("edge-id"))
	if cfg.Edge == "" {
		host, err := os.Hostname()
		if err != nil {
			return cfg, fmt.Errorf("edge-id: empty, and this host has no name: give one: %w", err)
		}
		cfg.Edge = traffic.EdgeID(host)
	}
	cfg.Buffer.Dir = filepath.Join(cmd.String("data-dir"), "buffer")
	cfg.Buffer.CommitInterval = cmd.Duration("commit-interval")
	cfg.Buffer.MaxBytes = cmd.Int64("buffer-mib") << 20
	cfg.Broker.Addr = cmd.String("mqtt-addr")
	// Each client's queue takes memory from the start; an edge has about 1,000 scores
	// to tell a subscriber at once, a whole city's broker has more.
	cfg.Broker.MaxOutbound = 1024
	cfg.Uplink.URL = cmd.String("central-url")
	cfg.Uplink.User, cfg.Uplink.Password = cmd.String("central-username"), cmd.String("central-password")

	user, password := cmd.String("mqtt-username"), cmd.String("mqtt-password")
	if (user == "") != (password == "") {
		return cfg, errors.New("mqtt-username and mqtt-password: only one is given: want both or neither")
	}
	if user != "" {
		cfg.Broker.Users = map[string]string{user: password}
	}
	var err error
	cfg.Uplink.TLS, err = trust(cmd.String("central-ca"))
	return cfg, err
}

// trust reads the certificates to verify the central broker with; nil means the system's.
func trust(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("central-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("central-ca: %s holds no certificate: want PEM", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
