package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// segmentFormat is the version of the segment files that are written.
const segmentFormat = 1

// The two buckets of a segment. meta is small enough to live inside the root page, so
// that noting the mark with a commit dirties no further page.
const (
	metaBucket  = "meta"
	batchBucket = "batches"
	keyHeader   = "segment"
	keyMark     = "acked"
)

// errDamaged marks a segment whose content cannot be trusted.
var errDamaged = errors.New("damaged")

// A mark says that all batches up to Seq of an epoch, and all older epochs, were
// acknowledged.
type mark struct{ epoch, seq uint64 }

// A segment is one file. What is not its database is guarded by Buffer.mu.
type segment struct {
	ordinal uint64
	path    string
	epoch   uint64
	// first is the number of the first batch; next that of the one after the last.
	first, next uint64
	created     time.Time
	// bytes is what the file takes on disk.
	bytes int64
	// acked has a bit for each acknowledged batch; nil while there is none.
	acked    []uint64
	ackedNum uint64
	// lost counts the batches that could not be read; the file is evidence then.
	lost uint64

	// db is open for writing in the head, for reading where the reader is, and nil
	// elsewhere. Buffer.reading guards it; the committer may use the head's.
	db *bolt.DB
}

func (s *segment) batches() uint64   { return s.next - s.first }
func (s *segment) unacked() uint64   { return s.batches() - s.ackedNum }
func (s *segment) has(n uint64) bool { return n >= s.first && n < s.next }

func (s *segment) isAcked(n uint64) bool {
	i := n - s.first
	return i/64 < uint64(len(s.acked)) && s.acked[i/64]&(1<<(i%64)) != 0
}

// ack notes that batch n was acknowledged and reports whether that is news.
func (s *segment) ack(n uint64) bool {
	if !s.has(n) || s.isAcked(n) {
		return false
	}
	i := n - s.first
	for uint64(len(s.acked)) <= i/64 {
		s.acked = append(s.acked, 0)
	}
	s.acked[i/64] |= 1 << (i % 64)
	s.ackedNum++
	return true
}

// firstUnacked is the first batch from number n on that is not acknowledged, or next.
func (s *segment) firstUnacked(n uint64) uint64 {
	n = max(n, s.first)
	for n < s.next && s.isAcked(n) {
		if i := n - s.first; i%64 == 0 && s.acked[i/64] == ^uint64(0) {
			n += 63
		}
		n++
	}
	return n
}

func segmentPath(dir string, ordinal uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%010d.seg", ordinal))
}

// createSegment makes an empty segment; a crash leaves either nothing but a temporary
// file or a whole segment.
func createSegment(dir string, s *segment, limit int64, m mark) error {
	s.path = segmentPath(dir, s.ordinal)
	tmp := s.path + ".tmp"
	db, err := bolt.Open(tmp, 0o640, &bolt.Options{
		Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		InitialMmapSize: int(2 * limit), NoStatistics: true,
	})
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("create segment: %w", err)
	}
	db.AllocSize = 1 << 20
	err = db.Update(func(tx *bolt.Tx) error {
		s.bytes = tx.Size()
		meta, err := tx.CreateBucket([]byte(metaBucket))
		if err != nil {
			return err
		}
		if _, err = tx.CreateBucket([]byte(batchBucket)); err != nil {
			return err
		}
		return errors.Join(meta.Put([]byte(keyHeader), s.header()), putMark(meta, m))
	})
	if err = errors.Join(err, os.Rename(tmp, s.path), syncDir(dir)); err != nil {
		_ = db.Close()
		_ = os.Remove(tmp)
		_ = os.Remove(s.path)
		return fmt.Errorf("create segment: %w", err)
	}
	s.db, s.next = db, s.first
	return nil
}

// lockTimeout is how long to wait for another process that has a segment open.
const lockTimeout = time.Second

func (s *segment) header() []byte {
	h := []byte{segmentFormat}
	h = binary.BigEndian.AppendUint64(h, s.epoch)
	h = binary.BigEndian.AppendUint64(h, s.first)
	return binary.BigEndian.AppendUint64(h, uint64(s.created.UnixMicro()))
}

func (s *segment) parseHeader(h []byte) error {
	if len(h) > 0 && h[0] > segmentFormat {
		return fmt.Errorf("format %d: this program reads %d: a newer version wrote it; use that, or another folder", h[0], segmentFormat)
	}
	if len(h) != 25 || h[0] != segmentFormat {
		return fmt.Errorf("%w: header % x", errDamaged, h)
	}
	s.epoch = binary.BigEndian.Uint64(h[1:])
	s.first = binary.BigEndian.Uint64(h[9:])
	s.created = time.UnixMicro(int64(binary.BigEndian.Uint64(h[17:])))
	return nil
}

func putMark(meta *bolt.Bucket, m mark) error {
	v := binary.BigEndian.AppendUint64(nil, m.epoch)
	return meta.Put([]byte(keyMark), binary.BigEndian.AppendUint64(v, m.seq))
}

// open opens a closed segment for reading. An error that is not the file system's is
// errDamaged.
func (s *segment) open() error {
	if s.db != nil {
		return nil
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if info.Size() == 0 { // bbolt would try to make a database of it
		return fmt.Errorf("%w: empty file", errDamaged)
	}
	return guard(func() error {
		db, err := bolt.Open(s.path, 0, &bolt.Options{ReadOnly: true, Timeout: lockTimeout, NoStatistics: true})
		if errors.Is(err, berrors.ErrTimeout) {
			return fmt.Errorf("another process is using %s: stop it, or give this one another folder", filepath.Dir(s.path))
		}
		if err == nil {
			s.db = db
			return nil
		}
		var errno syscall.Errno
		if errors.As(err, &errno) || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return fmt.Errorf("%w: %w", errDamaged, err)
	})
}

func (s *segment) close() {
	if s.db != nil {
		_ = s.db.Close() // nothing was written that was not synced
		s.db = nil
	}
}

// load fills in what the file says about itself, and returns the mark it holds.
func (s *segment) load() (m mark, err error) {
	if err = s.open(); err != nil {
		return m, err
	}
	return m, guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			meta, batches := tx.Bucket([]byte(metaBucket)), tx.Bucket([]byte(batchBucket))
			if meta == nil || batches == nil {
				return fmt.Errorf("%w: a bucket is missing", errDamaged)
			}
			if err := s.parseHeader(meta.Get([]byte(keyHeader))); err != nil {
				return err
			}
			if v := meta.Get([]byte(keyMark)); len(v) == 16 {
				m = mark{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}
			}
			s.bytes = tx.Size()
			s.next = s.first
			if last, _ := batches.Cursor().Last(); last != nil {
				k, ok := parseKey(last)
				if !ok || k.seq < s.first {
					return fmt.Errorf("%w: key % x", errDamaged, last)
				}
				s.next = k.seq + 1
			}
			return nil
		})
	})
}

// An entry is one batch as it is stored.
type entry struct {
	key   key
	value []byte
}

// append writes batches and the mark in one synced transaction. After an error
// nobody knows what the file holds, until load looks.
func (s *segment) append(entries []entry, m mark) (bytes int64, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		batches := tx.Bucket([]byte(batchBucket))
		batches.FillPercent = 1 // keys only ever grow
		for _, e := range entries {
			if err := batches.Put(e.key.encode(), e.value); err != nil {
				return err
			}
		}
		return putMark(tx.Bucket([]byte(metaBucket)), m)
	})
	if err != nil {
		return 0, err
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		bytes = tx.Size()
		return nil
	})
	return bytes, err
}

// read returns batch n, which may be any in the segment. The value is a copy, nil when
// only the key is wanted.
func (s *segment) read(n uint64, withValue bool) (e entry, err error) {
	if err = s.open(); err != nil {
		return e, err
	}
	return e, guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			seek := binary.BigEndian.AppendUint64(nil, n)
			k, v := tx.Bucket([]byte(batchBucket)).Cursor().Seek(seek)
			var ok bool
			if e.key, ok = parseKey(k); !ok || e.key.seq != n {
				return fmt.Errorf("%w: batch %d is missing", errDamaged, n)
			}
			if withValue {
				e.value = append([]byte(nil), v...)
			}
			return nil
		})
	})
}

// A key names one batch, and says what can be known without decoding it.
type key struct {
	seq uint64
	// at is when the batch was written.
	at       time.Time
	readings uint32
	// sum is the CRC-32C of the value.
	sum uint32
}

const keyBytes = 24

func (k key) encode() []byte {
	b := make([]byte, 0, keyBytes)
	b = binary.BigEndian.AppendUint64(b, k.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(k.at.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, k.readings)
	return binary.BigEndian.AppendUint32(b, k.sum)
}

func parseKey(b []byte) (k key, ok bool) {
	if len(b) != keyBytes {
		return k, false
	}
	return key{
		seq:      binary.BigEndian.Uint64(b),
		at:       time.UnixMicro(int64(binary.BigEndian.Uint64(b[8:]))),
		readings: binary.BigEndian.Uint32(b[16:]),
		sum:      binary.BigEndian.Uint32(b[20:]),
	}, true
}

func checksum(v []byte) uint32 { return crc32.Checksum(v, crc32.MakeTable(crc32.Castagnoli)) }

// guard turns a panic of bbolt on a page that makes no sense, and the fault on one that
// lies beyond the end of the file, into errDamaged.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
