package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
)

// besides are the files of a data folder that a backup takes over beside the database:
// the keys, and where a replay was. Readings that the edge has taken and the store has not
// stay in the folder's buffer: a backup is of what is stored.
func besides() []string {
	return []string{"secret", "replay.json", "edge-ca.crt", "edge-ca.key"}
}

// oneFolder is the DIR argument.
func oneFolder(cmd *cli.Command) (string, error) {
	if cmd.Args().Len() != 1 {
		return "", fmt.Errorf("%s: %d folders given: want one DIR", cmd.Name, cmd.Args().Len())
	}
	return cmd.Args().First(), nil
}

// backup is `cityflow backup DIR`.
func backup(ctx context.Context, cmd *cli.Command) error {
	dir, err := oneFolder(cmd)
	if err != nil {
		return err
	}
	if err := newFolder(dir); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return besideStore(ctx, cmd, func(st *sqlite.Store, log *slog.Logger) error {
		to := folder{path: dir}
		if err := st.Backup(ctx, to.database()); err != nil {
			return err
		}
		if err := copyBesides(cmd.String("data-dir"), dir); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		log.Info("backed up", "folder", dir)
		return nil
	})
}

// restore is `cityflow restore DIR`. It checks the backup before it makes a folder of it.
func restore(ctx context.Context, cmd *cli.Command) error {
	dir, err := oneFolder(cmd)
	if err != nil {
		return err
	}
	log, err := daemon.NewLogger(cmd, cmd.Root().ErrWriter)
	if err != nil {
		return err
	}
	from, to := folder{path: dir}, folder{path: cmd.String("data-dir")}
	if _, err := os.Stat(from.database()); err != nil {
		return fmt.Errorf("restore: %s holds no backup: %w", dir, err)
	}
	if err := newFolder(to.path); err != nil {
		return fmt.Errorf("restore: data-dir: %w", err)
	}
	if err := copyFile(from.database(), to.database()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := checkDatabase(ctx, to.database(), log); err != nil {
		return fmt.Errorf("restore: %s: %w", dir, errors.Join(err, os.RemoveAll(to.database())))
	}
	if err := copyBesides(dir, to.path); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	log.Info("restored", "from", dir, "to", to.path)
	return nil
}

// newFolder makes a folder; one that is there must be empty.
func newFolder(path string) error {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: it holds %s: want a new folder", path, entries[0].Name())
	}
	return err
}

func checkDatabase(ctx context.Context, path string, log *slog.Logger) error {
	st, err := sqlite.Open(ctx, path, log)
	if err != nil {
		return err
	}
	return errors.Join(st.Check(ctx), st.Close())
}

func copyBesides(from, to string) error {
	for _, name := range besides() {
		err := copyFile(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file with its owner's rights only; it is on disk when it returns nil.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
