package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix begins the name of every environment variable that sets a flag.
const EnvPrefix = "CITYFLOW_"

// Settings reads the value of a flag from where the user wrote it. The order is
// flag, environment variable, YAML file, default. A flag --http-addr is
// CITYFLOW_HTTP_ADDR in the environment and http-addr in the file.
//
// A Settings belongs to one command tree: put Flag first among the root's flags,
// Sources into each other flag, and Check into the root's Before.
type Settings struct {
	path   string
	loaded string
	values map[string]string
	err    error
}

// Flag is --config, the path of the optional YAML file.
func (s *Settings) Flag() cli.Flag {
	return &cli.StringFlag{
		Name:        "config",
		Usage:       "YAML `FILE` with settings, one key per flag",
		Sources:     cli.EnvVars(EnvPrefix + "CONFIG"),
		Destination: &s.path,
		TakesFile:   true,
	}
}

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Sources are the places beside the command line where a flag's value may stand.
func (s *Settings) Sources(flag string) cli.ValueSourceChain {
	return cli.NewValueSourceChain(cli.EnvVar(EnvName(flag)), &fileSource{settings: s, key: flag})
}

// Check returns an error when the file cannot be read or holds a key that is no flag
// of the command tree below cmd; it names the key and what is allowed. It is a
// cli.BeforeFunc.
func (s *Settings) Check(ctx context.Context, cmd *cli.Command) (context.Context, error) {
	s.load()
	if s.err != nil {
		return ctx, s.err
	}
	allowed := flagNames(cmd.Root())
	var errs []error
	for key := range s.values {
		if !slices.Contains(allowed, key) {
			errs = append(errs, fmt.Errorf("%s: unknown key %q: allowed are %s", s.path, key, strings.Join(allowed, ", ")))
		}
	}
	return ctx, errors.Join(errs...)
}

// flagNames are the names of all flags in the tree but --config and --help, sorted.
func flagNames(cmd *cli.Command) []string {
	var names []string
	for _, f := range cmd.Flags {
		if n := f.Names()[0]; n != "config" && n != "help" && n != "version" {
			names = append(names, n)
		}
	}
	for _, sub := range cmd.Commands {
		names = append(names, flagNames(sub)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// load reads the file when --config named one that was not read yet. Flags ask for
// their values one by one, while the command line is still being read.
func (s *Settings) load() {
	if s.path == s.loaded {
		return
	}
	s.loaded, s.values, s.err = s.path, nil, nil
	b, err := os.ReadFile(s.path)
	if err != nil {
		s.err = fmt.Errorf("read settings: %w", err)
		return
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(b, &nodes); err != nil {
		s.err = fmt.Errorf("read settings %s: %w", s.path, err)
		return
	}
	s.values = make(map[string]string, len(nodes))
	for key, n := range nodes {
		v, err := scalar(&n)
		if err != nil {
			s.err = fmt.Errorf("%s:%d: %s: %w", s.path, n.Line, key, err)
			return
		}
		s.values[key] = v
	}
}

// scalar is the text of a value as the user wrote it; a list becomes the
// comma-separated form that list flags take on the command line.
func scalar(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "", nil
		}
		return n.Value, nil
	case yaml.SequenceNode:
		items := make([]string, len(n.Content))
		for i, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return "", errors.New("want a list of plain values")
			}
			items[i] = c.Value
		}
		return strings.Join(items, ","), nil
	default:
		return "", errors.New("want one value or a list of values, not a nested section")
	}
}

// A fileSource is one key of the settings file.
type fileSource struct {
	settings *Settings
	key      string
}

func (f *fileSource) Lookup() (string, bool) {
	f.settings.load()
	v, ok := f.settings.values[f.key]
	return v, ok
}

func (f *fileSource) String() string {
	return fmt.Sprintf("key %q of file %q", f.key, f.settings.path)
}

func (f *fileSource) GoString() string { return f.String() }
