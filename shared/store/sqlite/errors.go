package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// primaryCode is SQLite's result code without its refinement, 0 for other errors.
func primaryCode(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// isUnique reports whether a unique value was taken.
func isUnique(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) &&
		(e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// explain adds what an operator can do about it.
func explain(err error) error {
	switch primaryCode(err) {
	case lib.SQLITE_BUSY:
		return fmt.Errorf("the file is locked by another process, which did not let go within %s; is a second CityFlow or a database tool using it? %w", busyTimeout, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("the disk is full; free some space, nothing else is needed: %w", err)
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("the file is not a CityFlow database; choose another path or move it away: %w", err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged; restore a backup: %w", err)
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return fmt.Errorf("the file or its folder may not be written by this user: %w", err)
	}
	return err
}
