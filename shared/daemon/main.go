package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
)

// Main runs cmd with the arguments of the process and ends it: with code 0 when cmd
// returned nil, 1 when it returned an error, which is printed to standard error. The
// first SIGINT or SIGTERM ends cmd's context; the second ends the process at once.
func Main(cmd *cli.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from now on a signal kills, as it does by default
	err := Run(ctx, cmd, os.Args)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", cmd.Name, err)
		os.Exit(1) //nolint:forbidigo // the one place where a process ends
	}
}

// Run is Main without the process: tests call it with their own context and
// arguments, args[0] being the program's name.
func Run(ctx context.Context, cmd *cli.Command, args []string) error {
	cmd.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	if cmd.Version == "" {
		cmd.Version = Version()
	}
	err := cmd.Run(ctx, args)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil //nolint:nilerr // it was told to stop, and has
	}
	return err
}

// Version describes the build: the module's version, or the commit it was built
// from with "+changes" when the tree was not clean, or "dev" when neither is known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var commit, changes string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	if commit == "" {
		return "dev"
	}
	return strings.Join([]string{commit, changes}, "")
}
