package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v3"
)

// LogFlags are --log-level and --log-format, with the settings they may come from.
func LogFlags(s *Settings) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "log-level", Value: "info", Sources: s.Sources("log-level"),
			Usage: "least severe `LEVEL` that is logged: debug, info, warn or error",
		},
		&cli.StringFlag{
			Name: "log-format", Value: "auto", Sources: s.Sources("log-format"),
			Usage: "`FORMAT` of log lines: text for people, json for machines, auto for text on a terminal",
		},
	}
}

// NewLogger makes the logger that LogFlags ask for. It writes to w, in colour when
// w is a terminal.
func NewLogger(cmd *cli.Command, w io.Writer) (*slog.Logger, error) {
	return newLogger(cmd, w, new(slog.LevelVar))
}

// newLogger is NewLogger with a level that can be changed afterwards.
func newLogger(cmd *cli.Command, w io.Writer, level *slog.LevelVar) (*slog.Logger, error) {
	name := cmd.String("log-level")
	if err := level.UnmarshalText([]byte(name)); err != nil || strings.ContainsAny(name, "+-") {
		return nil, fmt.Errorf("log-level: %q is not allowed: want debug, info, warn or error", name)
	}
	f, isFile := w.(*os.File)
	terminal := isFile && isatty.IsTerminal(f.Fd())
	format := cmd.String("log-format")
	switch {
	case format == "json", format == "auto" && !terminal:
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	case format == "text", format == "auto":
		return slog.New(tint.NewTextHandler(w, &tint.Options{
			Level: level, NoColor: !terminal, TimeFormat: time.TimeOnly,
		})), nil
	default:
		return nil, fmt.Errorf("log-format: %q is not allowed: want auto, text or json", format)
	}
}
