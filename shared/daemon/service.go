package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v3"
)

// A Process is what a composition root hands on to the parts that it wires.
type Process struct {
	Log *slog.Logger
	// Level is what Log goes by; it may be changed at any time.
	Level *slog.LevelVar
	// Metrics is where every part registers what it counts.
	Metrics *prometheus.Registry
	// Ready collects what each part says it is missing.
	Ready *Readiness
	// Page, where set, answers what is neither health, readiness nor metrics, on the
	// same address.
	Page http.Handler
	// opsAddr is where Run serves health, readiness and metrics.
	opsAddr string
}

// A Service describes a program with a single task: what its main differs in.
type Service struct {
	// Name is the program's name, such as "cityflow-collector".
	Name string
	// Usage is one line for --help.
	Usage string
	// Flags are the program's own, beside --config, --http-addr and the log's.
	Flags func(*Settings) []cli.Flag
	// Commands, where set, are what else the program can do than run. They see the
	// flags above, too.
	Commands func(*Settings) []*cli.Command
	// Run opens what the flags name, and ends with Process.Run.
	Run func(context.Context, *cli.Command, *Process) error
}

// Command is the command line of a service.
func (s Service) Command() *cli.Command {
	var set Settings
	flags := []cli.Flag{
		set.Flag(),
		&cli.StringFlag{
			Name: "http-addr", Value: ":9090", Sources: set.Sources("http-addr"),
			Usage: "`ADDRESS` that serves /health, /readyz and /metrics",
		},
	}
	flags = append(flags, LogFlags(&set)...)
	flags = append(flags, s.Flags(&set)...)
	var commands []*cli.Command
	if s.Commands != nil {
		commands = s.Commands(&set)
	}
	return &cli.Command{
		Name: s.Name, Usage: s.Usage, Flags: flags, Commands: commands, Before: set.Check,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			p, err := NewProcess(cmd)
			if err != nil {
				return err
			}
			p.opsAddr = cmd.String("http-addr")
			p.Log.Info("starting", "service", s.Name, "version", Version())
			return s.Run(ctx, cmd, p)
		},
	}
}

// NewProcess makes the logger that the flags of LogFlags ask for, a registry and an
// empty readiness.
func NewProcess(cmd *cli.Command) (*Process, error) {
	level := new(slog.LevelVar)
	log, err := newLogger(cmd, os.Stderr, level)
	if err != nil {
		return nil, err
	}
	return &Process{Log: log, Level: level, Metrics: NewRegistry(), Ready: &Readiness{}}, nil
}

// Run serves health, readiness and metrics and runs the stages until ctx ends; see
// RunStages for their order.
func (p *Process) Run(ctx context.Context, stages ...Stage) error {
	ln, err := Listen(ctx, "http-addr", p.opsAddr)
	if err != nil {
		return err
	}
	p.Log.Info("serving health, readiness and metrics", "addr", ln.Addr().String())
	ops := Stage{Name: "ops", Run: func(ctx context.Context) error {
		return Serve(ctx, ln, opsMux(p.Metrics, p.Ready, p.Page))
	}}
	return RunStages(ctx, p.Log, append([]Stage{ops}, stages...)...)
}
