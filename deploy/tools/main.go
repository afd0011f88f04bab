// Command tools is what the checks of deploy/ need and no ready program does: it prints
// the CA roots that go into images, reads a compose file as Docker does, makes JSON
// schemas of Kubernetes objects, and holds queries against a running CityFlow.
//
// It is a module of its own, outside the workspace: nothing that is deployed links it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

const usage = `usage: tools COMMAND
  roots                                     print the CA roots (PEM)
  compose FILE…                             check each compose file
  schemas DIR SWAGGER CRD…                  write JSON schemas for kubeconform
  queries METRICS PROMETHEUS-URL FILE…      check the queries of rules (YAML) and dashboards (JSON)`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "roots":
		return printRoots(os.Stdout)
	case len(args) >= 2 && args[0] == "compose":
		return checkCompose(ctx, args[1:])
	case len(args) >= 3 && args[0] == "schemas":
		return writeSchemas(args[1], args[2], args[3:])
	case len(args) >= 4 && args[0] == "queries":
		return checkQueries(ctx, args[1], args[2], args[3:])
	}
	return errors.New(usage)
}
