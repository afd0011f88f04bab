package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// A journal is one file of a fixed size that group commits are written to, one after the
// other, before they are settled in segments. A commit costs one sync and the pages it
// fills, where bbolt needs two syncs and at least five pages. The file never grows and
// every commit begins on a page of its own, so writing it neither touches the file
// system's own records nor a page that holds what was promised before; and it goes on
// working on a disk that is full.
//
// Its two halves take turns: one is written to while what the other holds is settled.
type journal struct {
	file *os.File
	// end is where the next commit is written.
	end int64
	// round counts the turns; those that are odd are in the second half.
	round uint64
	// done is the last round of which everything is settled.
	done uint64
}

const (
	journalName  = "journal"
	journalHalf  = 2 << 20
	journalBytes = 2 * journalHalf
	// journalPage is what a disk writes at least.
	journalPage = 4096
	// journalMagic begins a commit, and is followed by the length of its body and the
	// CRC-32C of both.
	journalMagic  = "CFJ2"
	journalPrefix = 12
	// journalFixed is what a body has before its batches.
	journalFixed = 2*8 + headerBytes + markBytes
	// A journal of version 1 was one half: a commit in it does not say what is done.
	journalMagic1 = "CFJ1"
	journalFixed1 = journalFixed - 8
)

// A commit is what one write to the journal says.
type commit struct {
	// round and done are the journal's when it was written.
	round   uint64
	done    uint64
	segment header
	mark    mark
	entries []entry
	// end is where it ends in the file that it was read from.
	end int64
}

// openJournal opens the journal of a folder, or makes one, and returns what it says.
func openJournal(dir string) (*journal, []commit, error) {
	path := filepath.Join(dir, journalName)
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Write(path, make([]byte, journalBytes), fileMode); err != nil {
			return nil, nil, fmt.Errorf("create journal: %w", err)
		}
	} else if err == nil && info.Size() != journalBytes {
		if err := mendJournal(path, info.Size()); err != nil {
			return nil, nil, fmt.Errorf("mend journal: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	j := &journal{file: f, round: 1}
	commits, err := j.scan()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read journal: %w", err), f.Close())
	}
	forgetPages(f)
	for _, c := range commits {
		j.round, j.done = max(j.round, c.round), max(j.done, c.done)
	}
	j.end = half(j.round)
	for _, c := range commits {
		if c.round == j.round {
			j.end = max(j.end, c.end)
		}
	}
	return j, commits, nil
}

// mendJournal gives a damaged file its size back, and keeps what it has. What is added is
// written, so that the space is there when the disk is full.
func mendJournal(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if size < journalBytes {
		_, err = f.WriteAt(make([]byte, journalBytes-size), size)
	}
	return errors.Join(err, f.Truncate(journalBytes), f.Sync(), f.Close())
}

// scan finds every whole commit in the file, also behind one that is damaged and those of
// earlier rounds.
func (j *journal) scan() ([]commit, error) {
	all, err := io.ReadAll(io.NewSectionReader(j.file, 0, journalBytes))
	if err != nil {
		return nil, err
	}
	var commits []commit
	for at := 0; at < len(all); {
		c, n := parseCommit(all[at:])
		if n == 0 {
			at += journalPage
			continue
		}
		at += pages(n)
		c.end = int64(at)
		commits = append(commits, c)
	}
	return commits, nil
}

// pages rounds up to whole pages.
func pages(n int) int { return (n + journalPage - 1) / journalPage * journalPage }

func (c *commit) encode() []byte {
	b := append(make([]byte, 0, journalPage), journalMagic...)
	b = append(b, make([]byte, journalPrefix-len(journalMagic))...)
	b = binary.BigEndian.AppendUint64(b, c.round)
	b = binary.BigEndian.AppendUint64(b, c.done)
	b = append(b, c.segment.encode()...)
	b = append(b, c.mark.encode()...)
	for _, e := range c.entries {
		b = append(b, e.key.encode()...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(e.value)))
		b = append(b, e.value...)
	}
	body := b[journalPrefix:]
	binary.BigEndian.PutUint32(b[4:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[8:], commitSum(b[4:8], body))
	return b
}

func commitSum(length, body []byte) uint32 {
	return crc32.Update(checksum(length), castagnoli, body)
}

// size is how many bytes encode returns, in whole pages.
func (c *commit) size() int {
	n := journalPrefix + journalFixed
	for _, e := range c.entries {
		n += keyBytes + 4 + len(e.value)
	}
	return pages(n)
}

// parseCommit reads a commit at the beginning of b, and returns its length; 0 when there
// is none. The values are copies.
func parseCommit(b []byte) (c commit, n int) {
	if len(b) < journalPrefix {
		return c, 0
	}
	fixed := int64(journalFixed)
	switch string(b[:len(journalMagic)]) {
	case journalMagic:
	case journalMagic1:
		fixed = journalFixed1
	default:
		return c, 0
	}
	length := int64(binary.BigEndian.Uint32(b[4:]))
	if length < fixed || length > int64(len(b)-journalPrefix) {
		return c, 0
	}
	n = journalPrefix + int(length)
	body := b[journalPrefix:n]
	if commitSum(b[4:8], body) != binary.BigEndian.Uint32(b[8:]) {
		return c, 0
	}
	c.round, body = binary.BigEndian.Uint64(body), body[8:]
	if fixed == journalFixed {
		c.done, body = binary.BigEndian.Uint64(body), body[8:]
	} else { // rounds counted from 0, and what came before the last was done
		c.round, c.done = c.round+1, c.round
	}
	if c.segment.parse(body[:headerBytes]) != nil {
		return c, 0
	}
	c.mark = parseMark(body[headerBytes : headerBytes+markBytes])
	var ok bool
	if c.entries, ok = parseEntries(body[headerBytes+markBytes:]); !ok {
		return c, 0
	}
	return c, n
}

func parseEntries(b []byte) ([]entry, bool) {
	var entries []entry
	for len(b) > 0 {
		if len(b) < keyBytes+4 {
			return nil, false
		}
		k, _ := parseKey(b[:keyBytes])
		length := int64(binary.BigEndian.Uint32(b[keyBytes:]))
		b = b[keyBytes+4:]
		if length > int64(len(b)) {
			return nil, false
		}
		entries = append(entries, entry{key: k, value: append([]byte(nil), b[:length]...)})
		b = b[length:]
	}
	return entries, true
}

// half is where the half of a round begins.
func half(round uint64) int64 { return int64(round%2) * journalHalf }

// fits reports whether a commit of size bytes can be appended.
func (j *journal) fits(size int) bool { return j.end+int64(size) <= half(j.round)+journalHalf }

// append writes a commit and syncs it. After an error nobody knows whether it is there,
// and the next one takes its place.
func (j *journal) append(c *commit) (cost, error) {
	c.round, c.done = j.round, j.done
	b := c.encode()
	b = append(b, make([]byte, pages(len(b))-len(b))...)
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return cost{}, fmt.Errorf("write to the journal: %w", err)
	}
	if err := syncData(j.file); err != nil {
		return cost{}, fmt.Errorf("sync the journal: %w", err)
	}
	j.end += int64(len(b))
	return cost{bytes: int64(len(b)), syncs: 1}, nil
}

// mayTurn reports whether the half that is not written to is free: everything in it is
// settled.
func (j *journal) mayTurn() bool { return j.done+1 >= j.round }

// turn lets the next commit begin the other half. What is there stays valid until it is
// overwritten; who reads it knows it from the segments.
func (j *journal) turn() {
	j.round++
	j.end = half(j.round)
}

func (j *journal) close() error { return j.file.Close() }
