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
type journal struct {
	file *os.File
	// end is where the next commit is written.
	end int64
	// round counts how often the journal began at its front.
	round uint64
}

const (
	journalName  = "journal"
	journalBytes = 2 << 20
	// journalPage is what a disk writes at least.
	journalPage = 4096
	// journalMagic begins a commit, and is followed by the length of its body and the
	// CRC-32C of both.
	journalMagic  = "CFJ1"
	journalPrefix = 12
	// journalFixed is what a body has before its batches.
	journalFixed = 8 + headerBytes + markBytes
)

// A commit is what one write to the journal says.
type commit struct {
	round   uint64
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
		if err := os.Truncate(path, journalBytes); err != nil { // a damaged file: keep what it has
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
	j := &journal{file: f}
	commits, err := j.scan()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read journal: %w", err), f.Close())
	}
	forgetPages(f)
	for _, c := range commits {
		j.round = max(j.round, c.round)
	}
	return j, commits, nil
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
	if len(b) < journalPrefix || string(b[:len(journalMagic)]) != journalMagic {
		return c, 0
	}
	length := int64(binary.BigEndian.Uint32(b[4:]))
	if length < journalFixed || length > int64(len(b)-journalPrefix) {
		return c, 0
	}
	n = journalPrefix + int(length)
	body := b[journalPrefix:n]
	if commitSum(b[4:8], body) != binary.BigEndian.Uint32(b[8:]) || c.segment.parse(body[8:8+headerBytes]) != nil {
		return c, 0
	}
	c.round = binary.BigEndian.Uint64(body)
	body = body[8+headerBytes:]
	c.mark = parseMark(body[:markBytes])
	var ok bool
	if c.entries, ok = parseEntries(body[markBytes:]); !ok {
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

// fits reports whether a commit of size bytes can be appended.
func (j *journal) fits(size int) bool { return j.end+int64(size) <= journalBytes }

// append writes a commit and syncs it. After an error nobody knows whether it is there,
// and the next one takes its place.
func (j *journal) append(c *commit) (cost, error) {
	c.round = j.round
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

// rewind lets the next commit begin at the front. What is there stays valid until it is
// overwritten; who reads it knows it from the segments.
func (j *journal) rewind() { j.end, j.round = 0, j.round+1 }

func (j *journal) close() error { return j.file.Close() }
