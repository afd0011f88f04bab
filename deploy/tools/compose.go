package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// checkCompose loads each file with the library that Docker Compose itself reads files
// with, and then asks what the library does not: that every file mounted from here
// exists, and that each image is pinned to a version.
func checkCompose(ctx context.Context, paths []string) error {
	var errs []error
	for _, path := range paths {
		if err := checkComposeFile(ctx, path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func checkComposeFile(ctx context.Context, path string) error {
	opts, err := cli.NewProjectOptions([]string{path},
		cli.WithWorkingDirectory(filepath.Dir(path)), cli.WithOsEnv, cli.WithProfiles([]string{"*"}))
	if err != nil {
		return err
	}
	project, err := opts.LoadProject(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range project.Services {
		errs = append(errs, pinned(s), mounted(s))
	}
	for name, c := range project.Configs {
		errs = append(errs, present("config "+name, c.File))
	}
	return errors.Join(errs...)
}

// version is a tag that names a release; "latest" and "main" move.
var version = regexp.MustCompile(`:v?\d[\w.-]*(@sha256:[0-9a-f]{64})?$`)

func pinned(s types.ServiceConfig) error {
	if version.MatchString(s.Image) {
		return nil
	}
	return fmt.Errorf("service %s: image %q is not pinned to a version", s.Name, s.Image)
}

func mounted(s types.ServiceConfig) error {
	var errs []error
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind && filepath.Base(filepath.Dir(v.Source)) != "run" && v.Source != "/var/lib/docker/containers" {
			errs = append(errs, present("service "+s.Name, v.Source))
		}
	}
	return errors.Join(errs...)
}

func present(who, path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}
