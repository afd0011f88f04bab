package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/city"
	"github.com/2zrhun/city-flow/simulator/paris"
	"github.com/2zrhun/city-flow/simulator/progress"
	"github.com/2zrhun/city-flow/simulator/replay"
	"github.com/2zrhun/city-flow/simulator/source"
)

// The sources of --source.
const (
	sourceAuto   = "auto"
	sourceParis  = "paris"
	sourceReplay = "replay"
	sourceCity   = "city"
	sourceNone   = "none"
)

// probeTimeout bounds the question whether the live API of Paris can be reached.
const probeTimeout = 3 * time.Second

// An origin makes the source that the user asked for.
type origin struct {
	cmd        *cli.Command
	log        *slog.Logger
	reg        prometheus.Registerer
	folder     *folder
	network    *roadnet.Network // nil when none was imported
	onRejected func(traffic.Rejected)
}

// chosen is a source with a sentence that says what it is; Source is nil for none.
type chosen struct {
	source.Source
	says string
	// mark is how far a replay has come, nil for other sources.
	mark *bookmark
}

func (o *origin) open(ctx context.Context) (chosen, error) {
	name, files := o.cmd.String("source"), o.cmd.StringSlice("file")
	if name == sourceAuto && len(files) > 0 {
		name = sourceReplay
	}
	if name != sourceReplay && len(files) > 0 {
		return chosen{}, fmt.Errorf("file: %s is not allowed with --source %s: want --source replay", files[0], name)
	}
	switch name {
	case sourceReplay:
		return o.replay(files)
	case sourceCity:
		return o.city()
	case sourceParis:
		return o.paris(ctx, true)
	case sourceAuto:
		return o.auto(ctx)
	case sourceNone:
		return chosen{says: "none: waiting for sensors on MQTT"}, nil
	default:
		names := []string{sourceAuto, sourceParis, sourceReplay, sourceCity, sourceNone}
		return chosen{}, fmt.Errorf("source: %q is not allowed: want one of %s", name, strings.Join(names, ", "))
	}
}

// auto takes the live city when it can be reached, and says which it took.
func (o *origin) auto(ctx context.Context) (chosen, error) {
	if speed := o.cmd.String("speed"); speed == "1" {
		c, err := o.paris(ctx, false)
		if err == nil {
			return c, nil
		}
		o.log.Info("the live counts of Paris can't be reached: showing a synthetic city instead", "reason", err)
	}
	return o.city()
}

// replayConfig is what the flags of replayFlags and zoneFlag say about files.
func replayConfig(cmd *cli.Command, files []string) replay.Config {
	cfg := replay.DefaultConfig()
	cfg.Files, cfg.TZ = files, cmd.String("tz")
	cfg.Columns, cfg.Units, cfg.Places = cmd.String("columns"), cmd.String("units"), cmd.String("places")
	cfg.Start, cfg.Step, cfg.Stamp = cmd.String("start"), cmd.Duration("step"), cmd.String("stamp")
	return cfg
}

func (o *origin) replay(files []string) (chosen, error) {
	cfg := replayConfig(o.cmd, files)
	cfg.Speed = o.cmd.String("speed")
	mark, err := openBookmark(o.folder.bookmark(), files)
	if err != nil {
		return chosen{}, err
	}
	cfg.From = mark.Last
	s, err := replay.Open(cfg, replay.Deps{
		Log: o.log, Reg: o.reg, OnRejected: o.onRejected, Progress: progress.New(os.Stderr, o.log),
	})
	if err != nil {
		return chosen{}, fmt.Errorf("replay: %w", err)
	}
	says := fmt.Sprintf("replay of %s at speed %s", strings.Join(files, ", "), cfg.Speed)
	switch {
	case mark.Ended:
		says += "; it was replayed to its end before: to see it again, choose another --data-dir"
	case !mark.Last.IsZero():
		says += ", going on at " + mark.Last.Format(time.RFC3339)
	}
	return chosen{Source: s, says: says, mark: mark}, nil
}

// paris opens the live counts. Where must is false, it asks first whether they can be
// reached; otherwise the source itself keeps trying.
func (o *origin) paris(ctx context.Context, must bool) (chosen, error) {
	cfg := paris.DefaultConfig()
	cfg.CacheDir = o.folder.cache()
	if url := o.cmd.String("paris-url"); url != "" {
		cfg.URL = url
	}
	s, err := paris.New(cfg, paris.Deps{Log: o.log, Reg: o.reg, OnRejected: o.onRejected})
	if err != nil {
		return chosen{}, err
	}
	if !must {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if err := s.Reachable(probe); err != nil {
			return chosen{}, err
		}
	}
	return chosen{Source: s, says: "live counts of Paris, hourly, from " + cfg.URL}, nil
}

func (o *origin) city() (chosen, error) {
	cfg := city.DefaultConfig()
	var err error
	if cfg.Speed, err = source.ParseSpeed(o.cmd.String("speed")); err != nil {
		return chosen{}, err
	}
	if cfg.Location, err = time.LoadLocation(o.cmd.String("tz")); err != nil {
		return chosen{}, fmt.Errorf("tz: %w", err)
	}
	cfg.Seed, cfg.Interval, cfg.Demand = uint64(o.cmd.Uint("seed")), o.cmd.Duration("city-interval"), o.cmd.Float("city-demand")
	if cfg.Speed != source.SpeedReal {
		// A city that runs faster than the clock begins in the past.
		cfg.Start = time.Now().AddDate(0, 0, -1)
	}
	net, says := o.network, "synthetic city on the imported network"
	if net == nil {
		p := synth.Params{Seed: cfg.Seed, Arcs: o.cmd.Int("city-roads")}
		if err := p.Validate(); err != nil {
			return chosen{}, fmt.Errorf("city-roads: %w", err)
		}
		net, says = synth.Generate(p), "synthetic city"
	}
	c, err := city.New(cfg, net)
	if err != nil {
		return chosen{}, err
	}
	return chosen{Source: c, says: fmt.Sprintf("%s: %d roads, seed %d, a report a sensor every %s", says, len(net.Roads), cfg.Seed, cfg.Interval)}, nil
}

// roads asks a source what it knows about its roads, nil when it knows nothing.
func (c chosen) roads(ctx context.Context) ([]traffic.Road, error) {
	lister, ok := c.Source.(source.RoadLister)
	if !ok {
		return nil, nil
	}
	roads, err := lister.Roads(ctx)
	return slices.Clip(roads), err
}
