package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
)

// A house is all of CityFlow, opened and not yet running.
type house struct {
	cmd    *cli.Command
	proc   *daemon.Process
	log    *slog.Logger
	folder *folder
	store  *sqlite.Store
	bus    *inproc.Bus
	web    net.Listener
	// network is what --roads named, nil without it.
	network  *roadnet.Network
	rejects  *rejects
	services services
	source   chosen
}

// up is `cityflow up`: it opens everything, prints where it is, and runs it until ctx
// ends.
func up(ctx context.Context, cmd *cli.Command) error {
	proc, err := daemon.NewProcess(cmd)
	if err != nil {
		return err
	}
	if _, err := time.LoadLocation(cmd.String("tz")); err != nil {
		return fmt.Errorf("tz: %q is not allowed: want an IANA zone such as Europe/Paris: %w", cmd.String("tz"), err)
	}
	h := &house{cmd: cmd, proc: proc, log: proc.Log}
	if err := h.open(ctx); err != nil {
		return errors.Join(err, h.close())
	}
	if err := h.greet(ctx, cmd.Root().Writer); err != nil {
		return errors.Join(err, h.close())
	}
	return errors.Join(daemon.RunStages(ctx, h.log, h.stages()...), h.close())
}

// open opens the parts in the order in which one needs the other. What it opened is
// closed by close, also when it fails in the middle.
func (h *house) open(ctx context.Context) (err error) {
	if h.folder, err = openFolder(h.cmd.String("data-dir")); err != nil {
		return err
	}
	if h.store, err = sqlite.Open(ctx, h.folder.database(), h.log); err != nil {
		return err
	}
	h.bus = inproc.New()
	h.rejects = newRejects(h.store, h.log)
	if err := h.openRoads(ctx); err != nil {
		return err
	}
	if h.web, err = daemon.Listen(ctx, "http-addr", h.cmd.String("http-addr")); err != nil {
		return err
	}
	if err := h.openServices(); err != nil {
		return err
	}
	o := origin{
		cmd: h.cmd, log: h.log, reg: h.proc.Metrics, folder: h.folder,
		network: h.network, onRejected: h.rejects.add,
	}
	h.source, err = o.open(ctx)
	return err
}

// openRoads imports the network that --roads names.
func (h *house) openRoads(ctx context.Context) (err error) {
	path := h.cmd.String("roads")
	if path == "" {
		return nil
	}
	h.network, err = putNetwork(ctx, h.store, path, h.log)
	return err
}

// stages are the parts in the order in which they start: against the flow of data, so
// that each finds the one that it hands on to, and stops before it.
func (h *house) stages() []daemon.Stage {
	s := &h.services
	stages := []daemon.Stage{
		{Name: "broker", Run: s.agent.RunBroker},
		{Name: "api", Run: func(ctx context.Context) error { return s.api.Serve(ctx, h.web) }},
		{Name: "upkeep", Run: s.keeper.Run},
		{Name: "revocation list", Run: func(ctx context.Context) error {
			return s.api.KeepRevocationList(ctx, s.edgeFiles.Revoked)
		}},
		{Name: "rerouter", Run: s.rerouter.Run},
		{Name: "predictor", Run: s.predictor.Run},
		{Name: "rejected rows", Run: h.rejects.run},
		{Name: "collector", Run: s.collector.Run},
		{Name: "uplink", Run: s.agent.RunUplink},
		{Name: "intake", Run: s.agent.RunIntake},
	}
	if h.source.Source != nil {
		stages = append(stages,
			daemon.Stage{Name: "publisher", Run: s.publisher.Run},
			daemon.Stage{Name: "source", Run: h.feed})
	}
	return stages
}

// close closes what open opened and no stage has closed.
func (h *house) close() error {
	var errs []error
	if h.services.agent != nil {
		errs = append(errs, h.services.agent.Close())
	}
	if h.web != nil {
		if err := h.web.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if h.bus != nil {
		errs = append(errs, h.bus.Close())
	}
	if h.store != nil {
		errs = append(errs, h.store.Close())
	}
	if h.folder != nil {
		errs = append(errs, h.folder.close())
	}
	return errors.Join(errs...)
}
