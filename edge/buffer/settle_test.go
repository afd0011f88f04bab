package buffer

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/wire"
)

// fillJournal accepts readings that take so many bytes of the journal, and returns how many.
func fillJournal(ctx context.Context, b *Buffer, prefix string, bytes uint64) (int, error) {
	n := 0
	for end := b.commit.written.Load() + bytes; b.commit.written.Load() < end; {
		rs := bulky(fmt.Sprint(prefix, "-", n), 200)
		if err := b.Accept(ctx, rs); err != nil {
			return n, err
		}
		n += len(rs)
	}
	return n, nil
}

// checkHeld wants so many readings in a buffer, each once.
func checkHeld(t *testing.T, b *Buffer, want int) {
	t.Helper()
	_, decoded := drain(t, b)
	total := 0
	for _, d := range decoded {
		total += len(d.Readings)
	}
	if distinct := len(readings(decoded)); total != want || distinct != want {
		t.Errorf("%d readings, %d of them different, want %d", total, distinct, want)
	}
}

// While one half of the journal is settled, commits go on in the other; a power cut in
// between costs nothing; and when both halves are full, commits wait.
func TestCommitsGoOnWhileTheJournalIsSettled(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := open(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, err := fillJournal(ctx, b, "a", journalHalf/2)
	if err != nil {
		t.Fatal(err)
	}
	b.reading.Lock() // a settlement ends with it
	release := sync.OnceFunc(b.reading.Unlock)
	defer release()
	second, err := fillJournal(ctx, b, "b", journalHalf)
	if err != nil {
		t.Fatalf("while the first half is being settled: %v", err)
	}
	image := cfg
	image.Dir = filepath.Join(t.TempDir(), "image")
	if err := snapshot(image.Dir, cfg.Dir); err != nil {
		t.Fatal(err)
	}
	type result struct {
		n   int
		err error
	}
	rest := make(chan result, 1)
	go func() {
		n, err := fillJournal(ctx, b, "c", journalHalf)
		rest <- result{n, err}
	}()
	checkHeld(t, open(t, image), first+second)
	release()
	third := <-rest
	if third.err != nil {
		t.Fatal(third.err)
	}
	checkHeld(t, b, first+second+third.n)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	checkHeld(t, open(t, cfg), first+second+third.n)
}

// encode1 is a commit as version 1 wrote it.
func (c *commit) encode1() []byte {
	b := c.encode()
	b = append(b[:journalPrefix+8], b[journalPrefix+16:]...)
	copy(b, journalMagic1)
	body := b[journalPrefix:]
	binary.BigEndian.PutUint32(b[4:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[8:], commitSum(b[4:8], body))
	return b
}

// A journal of version 1, which was one half, counted rounds from 0 and did not say what is
// done, loses nothing.
func TestJournalOfVersion1(t *testing.T) {
	for _, round := range []uint64{0, 1} {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			file := make([]byte, journalHalf)
			entryOf := func(seq uint64) entry {
				batch := wire.Batch{Edge: cfg.Edge, Epoch: 7, Seq: seq, Readings: bulky(fmt.Sprint("r", seq), 10)}
				value, err := wire.EncodeBatch(&batch)
				if err != nil {
					t.Fatal(err)
				}
				return entry{key: keyOf(&batch, value, time.Now()), value: value}
			}
			at := 0
			put := func(round, seq uint64) {
				c := commit{round: round, segment: header{ordinal: 1, epoch: 7, first: seq, created: time.Now()}, entries: []entry{entryOf(seq)}}
				at += pages(copy(file[at:], c.encode1()))
			}
			put(round, 2)
			put(round, 3)
			if round > 0 {
				put(round-1, 1) // was settled and delivered
			}
			if err := os.WriteFile(filepath.Join(cfg.Dir, journalName), file, 0o600); err != nil {
				t.Fatal(err)
			}
			b := open(t, cfg)
			checkHeld(t, b, 20)
			if _, err := fillJournal(t.Context(), b, "new", journalHalf+1); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(filepath.Join(cfg.Dir, journalName)); err != nil || info.Size() != journalBytes {
				t.Errorf("the journal has %d bytes: %v", info.Size(), err)
			}
			if known := knownGaps(b); round > 0 && len(known) > 0 {
				t.Errorf("reported as lost: %+v", known)
			}
		})
	}
}
