package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Backup writes a copy of the database, as it is at one moment, to a new file at path,
// while others go on reading and writing. The file is compact, on disk when Backup
// returns, and removed when it fails. An existing file is an error.
func (s *Store) Backup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("back up database: %s is there already", path)
	}
	err := s.copyTo(ctx, path)
	if err != nil {
		return fmt.Errorf("back up database: %w", errors.Join(explain(err), os.RemoveAll(path)))
	}
	return nil
}

func (s *Store) copyTo(ctx context.Context, path string) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back into the pool
	// The copy is a write to another database, which a connection that may only read
	// refuses too.
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
		return err
	}
	if err := createFile(path); err != nil { // with rights for its owner alone
		return err
	}
	_, err = conn.ExecContext(ctx, "VACUUM INTO ?", path)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 1")
	if err = errors.Join(err, back); err != nil {
		return err
	}
	return flush(path)
}

func flush(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Check reads the whole database and returns what is wrong with it, nil when nothing is.
func (s *Store) Check(ctx context.Context) error {
	var verdict string
	if err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("check database: %w", explain(err))
	}
	if verdict != "ok" {
		return fmt.Errorf("check database: %s", verdict)
	}
	return nil
}
