// Command simulator stands in for what is outside CityFlow: the sensors of a city,
// live, recorded or made up (simulator run), and up to 1,000 edge agents (simulator
// fleet). It talks MQTT only and needs no part of CityFlow but a broker.
package main

import (
	"context"
	_ "time/tzdata" // the zones of the recorded data, also where the system has none

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
)

func main() { daemon.Main(command()) }

func command() *cli.Command {
	var set daemon.Settings
	flags := append([]cli.Flag{set.Flag()}, daemon.LogFlags(&set)...)
	flags = append(flags, text(&set, "http-addr", "", "`ADDRESS` that serves /health, /readyz and /metrics; empty serves nothing"))
	return &cli.Command{
		Name: "simulator", Usage: "play the sensors or the edges of a city", Flags: flags, Before: set.Check,
		Commands: []*cli.Command{
			{
				Name: "run", Usage: "publish readings over MQTT as sensors do", Flags: runFlags(&set), Action: run,
				Description: "Readings come from --source: paris (live counts), replay (files) or city\n" +
					"(synthetic). A replay ends with its files, when every reading is acknowledged.",
			},
			{
				Name: "fleet", Usage: "load the central broker as 1 to 1,000 edge agents do", Flags: fleetFlags(&set), Action: playFleet,
				Description: "Sends batches of made-up readings and waits for the collector's\n" +
					"acknowledgements. Reports what was sent and acknowledged per second.",
			},
		},
	}
}

// serve runs the stages until the last of them has done its work, and what --http-addr
// asks for beside them.
func serve(ctx context.Context, cmd *cli.Command, p *daemon.Process, stages ...daemon.Stage) error {
	ctx, finished := context.WithCancel(ctx)
	defer finished()
	work := &stages[len(stages)-1]
	do := work.Run
	work.Run = func(ctx context.Context) error {
		err := do(ctx)
		if err == nil {
			finished()
			<-ctx.Done() // a stage that returns before its time has fallen
		}
		return err
	}
	if addr := cmd.String("http-addr"); addr != "" {
		ln, err := daemon.Listen(ctx, "http-addr", addr)
		if err != nil {
			return err
		}
		p.Log.Info("serving health, readiness and metrics", "addr", ln.Addr().String())
		ops := daemon.Stage{Name: "ops", Run: func(ctx context.Context) error {
			return daemon.Serve(ctx, ln, daemon.OpsHandler(p.Metrics, p.Ready))
		}}
		stages = append([]daemon.Stage{ops}, stages...)
	}
	return daemon.RunStages(ctx, p.Log, stages...)
}

func text(set *daemon.Settings, name, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
}

func number(set *daemon.Settings, name string, value int, usage string) cli.Flag {
	return &cli.IntFlag{Name: name, Value: value, Sources: set.Sources(name), Usage: usage}
}
