//go:build !linux

package system

import "testing"

// DiskDir makes a folder for one test.
func DiskDir(t testing.TB) string {
	t.Helper()
	return t.TempDir()
}

// WrittenBytes is known on Linux only.
func (p *Process) WrittenBytes(t testing.TB) int64 {
	t.Helper()
	t.Skip("only Linux tells how much a process has written")
	return 0
}

// ResidentBetween is known on Linux only.
func (p *Process) ResidentBetween(t testing.TB, _, _ uint64) int64 {
	t.Helper()
	t.Skip("only Linux tells where a process's memory is")
	return 0
}
