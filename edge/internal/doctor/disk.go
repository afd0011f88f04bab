package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// syncs is how often a small file is synced to learn how long that takes.
	syncs = 8
	// slowSync is from when on sensors notice, with the commit interval on top.
	slowSync = 200 * time.Millisecond
	// leastFree is what a disk needs beside the buffer.
	leastFree = 64 << 20
)

// examineDisk looks at the folder, its space, and how fast it syncs.
func (r *report) examineDisk(s Settings) {
	const name = "data folder"
	if err := os.MkdirAll(s.DataDir, 0o750); err != nil {
		r.add(Fail, name, err.Error(), "make it, and give it to the user that the edge runs as, or choose another with --data-dir")
		return
	}
	took, err := timeSyncs(s.DataDir)
	if err != nil {
		r.add(Fail, name, err.Error(), "give it to the user that the edge runs as, or choose another with --data-dir; look whether the disk is full or mounted read-only")
		return
	}
	r.ok(name, "%s can be written", s.DataDir)
	if median := took[len(took)/2]; median > slowSync {
		r.add(Warn, "disk", fmt.Sprintf("a sync takes %s, the slowest of %d took %s", round(median), syncs, round(took[len(took)-1])),
			"sensors wait that long for their acknowledgement: look for another program that writes, or replace a worn SD card")
	} else {
		r.ok("disk", "a sync takes %s, the slowest of %d took %s", round(median), syncs, round(took[len(took)-1]))
	}
	r.examineSpace(s)
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// timeSyncs writes and syncs a small file some times and returns how long each took,
// sorted.
func timeSyncs(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, "doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4<<10)
	for range syncs {
		begin := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took, nil
}

// examineSpace compares what is free with what the buffer may still take.
func (r *report) examineSpace(s Settings) {
	const name = "disk space"
	free, err := freeBytes(s.DataDir)
	if err != nil {
		r.add(Warn, name, err.Error(), "see for yourself with df")
		return
	}
	toCome := max(0, s.BufferBytes-folderBytes(filepath.Join(s.DataDir, "buffer")))
	what := fmt.Sprintf("%d MiB are free; the buffer may take %d MiB more", free>>20, toCome>>20)
	switch {
	case free < leastFree:
		r.add(Fail, name, what, "make room: a full disk keeps nothing")
	case free < toCome+leastFree:
		r.add(Warn, name, what, "make room, or lower --buffer-mib: an outage of the centre would fill the disk")
	default:
		r.ok(name, "%s", what)
	}
}

// folderBytes is what the files in a folder take; what cannot be read is left out.
func folderBytes(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // the errors are passed over below
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // see above
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
