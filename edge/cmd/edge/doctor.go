package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/edge/internal/doctor"
)

// doctorCommand examines the box with the settings that the edge would run with.
func doctorCommand() *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "examine this box: disk, clock, ports, certificates, the way to the centre",
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print the findings as JSON"}},
		Action: examine,
	}
}

func examine(ctx context.Context, cmd *cli.Command) error {
	id, err := identity(cmd)
	if err != nil {
		return err
	}
	cfg, err := configure(cmd, id)
	if err != nil {
		return err
	}
	cfg.Uplink.Edge = cfg.Edge
	findings := doctor.Examine(ctx, doctor.Settings{
		DataDir: cmd.String("data-dir"), BufferBytes: cfg.Buffer.MaxBytes, Broker: cfg.Broker, Identity: id, Uplink: cfg.Uplink,
	})
	out := cmd.Root().Writer
	if cmd.Bool("json") {
		text, err := json.MarshalIndent(findings, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(out, string(text))
		}
		if err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	} else if err := doctor.Print(out, findings); err != nil {
		return err
	}
	if doctor.Failed(findings) {
		return errors.New("this box is not well")
	}
	return nil
}
