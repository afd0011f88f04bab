package buffer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// FuzzOpenSegment opens a folder with one segment in which bytes at some places were
// changed. Whatever that makes of it: the buffer opens, ends reading, and hands out nothing
// but batches that an edge wrote.
func FuzzOpenSegment(f *testing.F) {
	cfg := testConfig(filepath.Join(f.TempDir(), "sound"))
	b := open(f, cfg)
	for i := range 6 {
		accept(f, b, traffictest.Readings(fmt.Sprint(i), 50))
	}
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	path := segmentFiles(f, cfg.Dir)[0]
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	sound = sound[:min(len(sound), 64<<10)]
	f.Add(uint16(0), []byte{1}, uint16(0))
	f.Add(uint16(4*segmentPage), []byte{0xff, 0xff, 0xff}, uint16(0))
	f.Add(uint16(100), []byte{0, 1, 2, 3, 4, 5, 6, 7}, uint16(5*segmentPage))
	for page := range min(len(sound)/segmentPage, 60) {
		f.Add(uint16(page*segmentPage+8), []byte{0x80, 0, 0x40, 0, 1}, uint16(0))
	}
	f.Fuzz(func(t *testing.T, at uint16, change []byte, cut uint16) {
		spoilt := append([]byte(nil), sound...)
		for i, c := range change {
			spoilt[(int(at)+i)%len(spoilt)] ^= c
		}
		if cut > 0 {
			spoilt = spoilt[:min(int(cut), len(spoilt))]
		}
		s := &segment{path: filepath.Join(t.TempDir(), filepath.Base(path))}
		s.parseName(filepath.Base(path))
		if err := os.WriteFile(s.path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if _, err := s.load(); err != nil {
			return
		}
		for n := s.first; n < min(s.next, s.first+100); n++ {
			e, err := s.read(n, true)
			if err != nil || e.gone || checksum(e.value) != e.key.sum {
				continue
			}
			if d, err := wire.DecodeBatch(e.value); err != nil || d.Seq != n || d.Epoch != s.epoch {
				t.Errorf("batch %d is %+v, %v", n, d, err)
			}
		}
		_ = s.eachKey(func(key) {}) // must end
	})
}

// FuzzJournal reads commits from any bytes.
func FuzzJournal(f *testing.F) {
	value := []byte("a batch")
	c := commit{segment: header{ordinal: 1, epoch: 2, first: 3}, entries: []entry{{key: key{seq: 3, sum: checksum(value)}, value: value}}}
	f.Add(c.encode())
	f.Add(c.encode()[:journalPrefix+journalFixed+10])
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n := parseCommit(b)
		if n > len(b) {
			t.Fatalf("%d bytes of %d", n, len(b))
		}
		if n > 0 && string(got.encode()) != string(b[:n]) {
			t.Errorf("%+v is written otherwise than it was read", got)
		}
	})
}
