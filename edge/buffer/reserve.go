package buffer

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// fileMode is the rights of the small files beside the segments.
const fileMode = 0o640

// reserveName is a file that takes space so that there is some when the disk is full: to
// settle the journal, to note what is lost or what was learnt. Draining needs none.
const reserveName = "reserve"

// reserveBytes is what the reserve takes: twice the journal, less where segments are small.
func (c *Config) reserveBytes() int64 { return min(2*journalHalf, c.SegmentBytes) }

// overhead is what the folder takes without any batch.
func (c *Config) overhead() int64 { return journalBytes + c.reserveBytes() }

// keepReserve makes the reserve where there is none, and space for it.
func (b *Buffer) keepReserve() {
	path := filepath.Join(b.cfg.Dir, reserveName)
	size := b.cfg.reserveBytes()
	if info, err := os.Stat(path); err == nil && info.Size() == size {
		return
	}
	if free, err := freeBytes(b.cfg.Dir); err != nil || free < 4*size {
		b.log.Debug("no space for a reserve", "free", free, "error", err)
		return
	}
	if err := atomicfile.Write(path, make([]byte, size), fileMode); err != nil {
		b.log.Warn("cannot make a reserve for a full disk", "error", err)
	}
}

// diskFull gives the reserve away when err says that the disk is full, and reports whether
// that freed anything.
func (b *Buffer) diskFull(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EFBIG) {
		return false
	}
	if os.Remove(filepath.Join(b.cfg.Dir, reserveName)) != nil {
		return false
	}
	b.log.Error("the disk is full: the reserve is used now; readings are refused when it is gone", "error", err)
	return true
}

// replaceFile writes a small file, with the reserve's space if there is no other.
func (b *Buffer) replaceFile(path string, content []byte) error {
	err := atomicfile.Write(path, content, fileMode)
	if err != nil && b.diskFull(err) {
		err = atomicfile.Write(path, content, fileMode)
	}
	return err
}
