package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/upkeep"
)

func flags(set *daemon.Settings) []cli.Flag {
	text := func(name, value, usage string) *cli.StringFlag {
		return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	def := collector.Default()
	database := text("database-url", "", "`URL` of the PostgreSQL database, such as postgres://user:password@host/cityflow")
	database.Required = true
	return append([]cli.Flag{
		database,
		text("redis-url", "redis://localhost:6379/0", "`URL` of the Redis server that carries live updates"),
		text("broker-url", def.BrokerURL, "`URL` of the central MQTT broker, tcp://host:1883 or mqtts://host:8883"),
		text("broker-username", "", "`NAME` to log in with at the broker"),
		text("broker-password", "", "`PASSWORD` that goes with it"),
		text("broker-ca", "", "`FILE` with the certificates (PEM) that may have signed the broker's, instead of the system's"),
		text("instance", "", "`NAME` of this collector, the same after a restart and of no other one; the host's name when empty"),
		&cli.BoolFlag{
			Name: "direct-topics", Value: def.DirectTopics, Sources: set.Sources("direct-topics"),
			Usage: "also take what sensors publish on the central broker themselves",
		},
		&cli.IntFlag{
			Name: "max-readings", Value: def.MaxReadings, Sources: set.Sources("max-readings"),
			Usage: "`READINGS` that fill a database transaction",
		},
		&cli.DurationFlag{
			Name: "max-delay", Value: def.MaxDelay, Sources: set.Sources("max-delay"),
			Usage: "`TIME` that a message may wait for others to share its transaction",
		},
	}, upkeep.Flags(set)...)
}

// configure reads the flags, and the host's name and the certificates that they ask
// for. Its errors name the flag.
func configure(cmd *cli.Command) (collector.Config, error) {
	cfg := collector.Default()
	cfg.BrokerURL = cmd.String("broker-url")
	cfg.BrokerUsername, cfg.BrokerPassword = cmd.String("broker-username"), cmd.String("broker-password")
	cfg.Instance = cmd.String("instance")
	cfg.DirectTopics = cmd.Bool("direct-topics")
	cfg.MaxReadings, cfg.MaxDelay = cmd.Int("max-readings"), cmd.Duration("max-delay")
	if (cfg.BrokerUsername == "") != (cfg.BrokerPassword == "") {
		return cfg, errors.New("broker-username and broker-password: only one is given: want both or neither")
	}
	var err error
	if cfg.Instance == "" {
		if cfg.Instance, err = os.Hostname(); err != nil {
			return cfg, fmt.Errorf("instance: not given, and the host's name cannot be had: %w", err)
		}
	}
	if cfg.BrokerTLS, err = trust(cmd.String("broker-ca")); err != nil {
		return cfg, fmt.Errorf("broker-ca: %w", err)
	}
	return cfg, cfg.Validate()
}

// trust reads the certificates to verify the broker with; nil means the system's.
func trust(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate: want PEM", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
