package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/city"
	"github.com/2zrhun/city-flow/simulator/paris"
	"github.com/2zrhun/city-flow/simulator/progress"
	"github.com/2zrhun/city-flow/simulator/publish"
	"github.com/2zrhun/city-flow/simulator/replay"
	"github.com/2zrhun/city-flow/simulator/source"
)

func runFlags(set *daemon.Settings) []cli.Flag {
	r, l, b := replay.DefaultConfig(), paris.DefaultConfig(), publish.DefaultConfig()
	duration := func(name string, value time.Duration, usage string) cli.Flag {
		return &cli.DurationFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
	}
	return []cli.Flag{
		text(set, "source", "city", "where readings come from: paris (live), replay (files) or city (synthetic)"),
		text(set, "speed", r.Speed, "how many seconds of event time pass in a second: 1, 60, … or max"),
		text(set, "tz", r.TZ, "time `ZONE` of times without an offset, and of the rush hours"),
		text(set, "broker-url", b.BrokerURL, "`URL` of the broker, tcp://user:password@host:1883 or ssl://host:8883"),
		number(set, "batch", b.Batch, "most readings in a message"),
		number(set, "window", b.Window, "most messages that are out without the broker's acknowledgement"),

		&cli.StringSliceFlag{Name: "file", Sources: set.Sources("file"), TakesFile: true, Usage: "replay: `FILE` to play; may be given several times"},
		text(set, "columns", "", "replay: the columns of long tables, ts=…,sensor=…,flow=…,speed=…,occupancy=…,road=…"),
		text(set, "units", "", "replay: units of files that do not say theirs: mph or kmh, veh/h or veh/15min, % or fraction"),
		text(set, "start", "", "replay: `TIME` of the first row of wide tables without a time column"),
		duration("step", 0, "replay: time between two rows of such tables, or the length of an interval"),
		text(set, "stamp", r.Stamp, "replay: whether times name the begin or the end of an interval"),
		text(set, "places", "", "replay: `FILE` with the positions of the sensors: id, latitude, longitude"),
		&cli.TimestampFlag{
			Name: "from", Sources: set.Sources("from"), Usage: "replay: leave out the readings before this `TIME` (RFC 3339)",
			Config: cli.TimestampConfig{Layouts: []string{time.RFC3339}},
		},
		number(set, "max-rows", r.MaxRows, "replay: most rows that are held in memory to be sorted"),

		text(set, "paris-url", l.URL, "paris: base `URL` of the Explore API"),
		duration("paris-interval", l.Interval, "paris: time between two polls"),
		duration("paris-lookback", l.Lookback, "paris: how far before the newest hour the counts are read"),
		text(set, "cache-dir", "", "paris: `DIR` where answers are kept for the next start; empty keeps nothing"),

		text(set, "roads", "", "city: `FILE` with the road network; without one it is generated"),
		number(set, "city-roads", 1000, "city: about how many `ROADS` to generate"),
		&cli.UintFlag{Name: "seed", Value: 1, Sources: set.Sources("seed"), Usage: "city: the `NUMBER` that everything is drawn from"},
	}
}

// run publishes the readings of a source until it ends or ctx does.
func run(ctx context.Context, cmd *cli.Command) error {
	p, err := daemon.NewProcess(cmd)
	if err != nil {
		return err
	}
	refusals := &refusals{log: p.Log}
	src, err := openSource(ctx, cmd, p, refusals)
	if err != nil {
		return err
	}
	cfg := publish.DefaultConfig()
	cfg.BrokerURL, cfg.Batch, cfg.Window = cmd.String("broker-url"), cmd.Int("batch"), cmd.Int("window")
	out, err := publish.New(cfg, p.Log, p.Metrics)
	if err != nil {
		return err
	}
	f := &feeder{src: src, out: out, log: p.Log}
	err = serve(ctx, cmd, p, daemon.Stage{Name: "publish", Run: out.Run}, daemon.Stage{Name: "source", Run: f.run})
	refusals.sum()
	return err
}

func openSource(ctx context.Context, cmd *cli.Command, p *daemon.Process, refusals *refusals) (source.Source, error) {
	switch name := cmd.String("source"); name {
	case "replay":
		return replay.Open(replayConfig(cmd), replay.Deps{
			Log: p.Log, Reg: p.Metrics, OnRejected: refusals.add, Progress: progress.New(os.Stderr, p.Log),
		})
	case "paris":
		cfg := paris.DefaultConfig()
		cfg.URL, cfg.CacheDir = cmd.String("paris-url"), cmd.String("cache-dir")
		cfg.Interval, cfg.Lookback = cmd.Duration("paris-interval"), cmd.Duration("paris-lookback")
		return paris.New(cfg, paris.Deps{Log: p.Log, Reg: p.Metrics, OnRejected: refusals.add})
	case "city":
		return openCity(ctx, cmd)
	default:
		return nil, fmt.Errorf("source: %q is not allowed: want paris, replay or city", name)
	}
}

func replayConfig(cmd *cli.Command) replay.Config {
	return replay.Config{
		Files: cmd.StringSlice("file"), Columns: cmd.String("columns"), Units: cmd.String("units"),
		Start: cmd.String("start"), Step: cmd.Duration("step"), Stamp: cmd.String("stamp"),
		TZ: cmd.String("tz"), Speed: cmd.String("speed"), From: cmd.Timestamp("from"),
		Places: cmd.String("places"), MaxRows: cmd.Int("max-rows"),
	}
}

func openCity(ctx context.Context, cmd *cli.Command) (source.Source, error) {
	cfg := city.DefaultConfig()
	cfg.Seed = uint64(cmd.Uint("seed"))
	var err error
	if cfg.Speed, err = source.ParseSpeed(cmd.String("speed")); err != nil {
		return nil, err
	}
	if cfg.Location, err = time.LoadLocation(cmd.String("tz")); err != nil {
		return nil, fmt.Errorf("tz: %w", err)
	}
	if cfg.Speed != source.SpeedReal { // a city that runs faster than the clock begins in the past
		cfg.Start = time.Now().AddDate(0, 0, -1)
	}
	var net *roadnet.Network
	if path := cmd.String("roads"); path != "" {
		if net, _, err = roadnet.Import(ctx, path); err != nil {
			return nil, err
		}
	} else {
		p := synth.Params{Seed: cfg.Seed, Arcs: cmd.Int("city-roads")}
		if err := p.Validate(); err != nil {
			return nil, fmt.Errorf("city-roads: %w", err)
		}
		net = synth.Generate(p)
	}
	return city.New(cfg, net)
}

// lastFlush is how long the broker may take, at a stop, to acknowledge what is out.
const lastFlush = 5 * time.Second

// A feeder is the stage between the source and the publisher.
type feeder struct {
	src  source.Source
	out  *publish.Publisher
	log  *slog.Logger
	sent int64
}

// run returns when the source has ended and the broker has everything.
func (f *feeder) run(ctx context.Context) error {
	begin := time.Now()
	if err := f.src.Run(ctx, f.publish); err != nil {
		return err
	}
	flush := ctx
	if ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		defer cancel()
		flush = last
	}
	if err := f.out.Flush(flush); err != nil {
		return fmt.Errorf("the last readings were not acknowledged: %w", err)
	}
	took := time.Since(begin)
	f.log.Info("all readings are acknowledged", "readings", f.sent, "seconds", took.Seconds(), "readings_per_s", int64(float64(f.sent)/took.Seconds()))
	return nil
}

func (f *feeder) publish(ctx context.Context, readings []traffic.Reading) error {
	if err := f.out.Publish(ctx, readings); err != nil {
		return err
	}
	f.sent += int64(len(readings))
	return nil
}

// mostRefusals is how many refusals are written out; the others are counted.
const mostRefusals = 20

// refusals tells the user what can't be used. A source calls add from one goroutine.
type refusals struct {
	log *slog.Logger
	n   int
}

func (r *refusals) add(bad traffic.Rejected) {
	r.n++
	if r.n <= mostRefusals {
		r.log.Warn("refused", "where", bad.Origin, "reason", bad.Reason, "detail", bad.Detail)
	}
}

func (r *refusals) sum() {
	if r.n > 0 {
		r.log.Warn("rows were refused", "rows", r.n, "listed", min(r.n, mostRefusals))
	}
}
