package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/edge/enrol"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// enrolCommand gets this edge its certificate.
func enrolCommand(set *daemon.Settings) *cli.Command {
	text := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: set.Sources(name), Usage: usage}
	}
	return &cli.Command{
		Name: "enrol", Usage: "exchange an admin's one-time token for this edge's certificate",
		Flags: []cli.Flag{
			text("centre", "`URL` of CityFlow's API, such as https://city.example"),
			text("token", "the `TOKEN` that the admin was given for this edge; better in the environment variable CITYFLOW_TOKEN, where other users do not see it"),
			text("ca-pin", "`SHA256` of a certificate that the API's TLS shows, to be trusted instead of the system's authorities"),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			id, err := enrol.Enrol(ctx, enrol.Request{
				Centre: cmd.String("centre"), Token: cmd.String("token"), Pin: cmd.String("ca-pin"), Dir: enrol.Dir(cmd.String("data-dir")),
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.Root().Writer, "enrolled as %s; the certificate ends on %s and is renewed by itself from %s on\n",
				id.Edge(), id.NotAfter().Format(time.DateOnly), id.RenewAt().Format(time.DateOnly))
			return err
		},
	}
}

// identity is this edge's, nil when it was not enrolled.
func identity(cmd *cli.Command) (*enrol.Identity, error) {
	id, err := enrol.Open(enrol.Dir(cmd.String("data-dir")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return id, err
}

// edgeName is the one in the settings, else the certificate's, else the host's.
func edgeName(cmd *cli.Command, id *enrol.Identity) (traffic.EdgeID, error) {
	given := traffic.EdgeID(cmd.String("edge-id"))
	if id != nil {
		if given != "" && given != id.Edge() {
			return "", fmt.Errorf("edge-id: %q is not allowed: this edge was enrolled as %q: leave it empty, or enrol again", given, id.Edge())
		}
		return id.Edge(), nil
	}
	if given != "" {
		return given, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("edge-id: empty, and this host has no name: give one: %w", err)
	}
	return traffic.EdgeID(host), nil
}

// roots reads the certificates that the central broker is verified with; nil means the
// system's.
func roots(path string) (*x509.CertPool, error) {
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
	return pool, nil
}
