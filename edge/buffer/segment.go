package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// The two buckets of a segment file. meta is small enough to live inside the root page.
const (
	metaBucket  = "meta"
	batchBucket = "batches"
	keyHeader   = "segment"
	keyState    = "state"
)

// errDamaged marks a segment whose content cannot be trusted.
var errDamaged = errors.New("damaged")

// A segment is a run of batches that will be, or is, one file. What is not its database
// is guarded by Buffer.mu.
type segment struct {
	header
	// path is empty until something of the segment is in a file of its own.
	path string
	// next is the number after the last batch.
	next uint64
	// bytes is what the file takes on disk.
	bytes int64
	// last is the latest time of a reading in the last batch.
	last time.Time
	// acked has a bit for each acknowledged batch; nil while there is none.
	acked    []uint64
	ackedNum uint64
	// unsettled are the last batches, which are in the journal and not in the file.
	unsettled      []entry
	unsettledBytes int64
	// readAt is when a batch was last handed out, and dense says that thinning was
	// tried in vain.
	readAt time.Time
	dense  bool
	// head says that the committer adds batches, and settling that its file is being
	// written.
	head, settling bool
	// lost counts the batches that could not be read; the file is evidence then.
	lost uint64
	// resolved and offset are what the clock was behind, for a segment of stamps.
	resolved bool
	offset   time.Duration

	// db is open for writing in the head and while the segment is settled, for reading
	// where the reader is, and nil elsewhere. Buffer.reading guards it; who settles may
	// use it without.
	db *bolt.DB
}

func (s *segment) batches() uint64   { return s.next - s.first }
func (s *segment) unacked() uint64   { return s.batches() - s.ackedNum }
func (s *segment) has(n uint64) bool { return n >= s.first && n < s.next }

// settled is the number after the last batch that is in the file.
func (s *segment) settled() uint64 { return s.next - uint64(len(s.unsettled)) }

// sendable reports whether the times of the readings are known.
func (s *segment) sendable() bool { return !s.stamps || s.resolved }

// shadow copies what is known of a closed segment, to be read apart from the reading side.
// The caller holds Buffer.mu.
func (s *segment) shadow() *segment {
	return &segment{
		header: s.header, path: s.path, next: s.next, bytes: s.bytes, resolved: s.resolved, offset: s.offset,
		acked: slices.Clone(s.acked), ackedNum: s.ackedNum,
	}
}

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

// state is what a file says about itself when all batches are in it. The caller holds
// Buffer.mu, or has the segment for itself.
func (s *segment) state(m mark) state { return state{mark: m, next: s.next, last: s.last} }

// create makes the segment's file with its first batches in it; a crash leaves either
// nothing but a temporary file or a whole segment. The database is open afterwards.
func (s *segment) create(path string, limit int64, entries []entry, st state) (db *bolt.DB, c cost, err error) {
	tmp := path + tmpSuffix
	_ = os.Remove(tmp) // what an earlier attempt left
	db, err = bolt.Open(tmp, 0o640, &bolt.Options{
		Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		InitialMmapSize: int(2 * limit), NoStatistics: true, PageSize: segmentPage,
		MaxSize: int(4*limit + 2*journalBytes),
	})
	if err != nil {
		_ = os.Remove(tmp)
		return nil, c, fmt.Errorf("create segment: %w", err)
	}
	db.AllocSize = 1 << 20
	c, err = write(db, s.encode(), entries, st)
	if err == nil {
		err = errors.Join(os.Rename(tmp, path), atomicfile.SyncDir(filepath.Dir(path)))
	}
	if err != nil {
		_ = db.Close()
		_ = os.Remove(tmp)
		_ = os.Remove(path)
		return nil, c, fmt.Errorf("create segment: %w", err)
	}
	c.add(cost{bytes: 4 * segmentPage, syncs: 2}) // bbolt's first pages, and the folder
	return db, c, nil
}

const (
	tmpSuffix = atomicfile.TempSuffix
	// segmentPage is the size of bbolt's pages. A page of batches takes at least two of
	// them, about 6 KB: pages of 4 KiB would be a third empty.
	segmentPage = 1024
)

// lockTimeout is how long to wait for another process that has a segment open.
const lockTimeout = time.Second

// A cost is what some writing took of the disk.
type cost struct {
	bytes int64
	syncs int64
	// size is how large the file is now.
	size int64
}

func (c *cost) add(d cost) {
	c.bytes, c.syncs = c.bytes+d.bytes, c.syncs+d.syncs
	if d.size != 0 {
		c.size = d.size
	}
}

// write puts batches and the state, and the header where there is one, into a database in
// one synced transaction. After an error nobody knows what the file holds.
func write(db *bolt.DB, header []byte, entries []entry, st state) (c cost, err error) {
	tx, err := db.Begin(true)
	if err != nil {
		return c, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
	if err != nil {
		return c, err
	}
	batches, err := tx.CreateBucketIfNotExists([]byte(batchBucket))
	if err != nil {
		return c, err
	}
	batches.FillPercent = 1 // keys only ever grow
	for _, e := range entries {
		if err := batches.Put(e.key.encode(), e.value); err != nil {
			return c, err
		}
	}
	if header != nil {
		err = meta.Put([]byte(keyHeader), header)
	}
	if err = errors.Join(err, meta.Put([]byte(keyState), st.encode())); err != nil {
		return c, err
	}
	if err := tx.Commit(); err != nil {
		return c, err
	}
	stats := tx.Stats()
	c.bytes, c.syncs = stats.GetPageAlloc()+int64(db.Info().PageSize), 2
	err = db.View(func(tx *bolt.Tx) error {
		c.size = tx.Size()
		return nil
	})
	return c, err
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

// load fills in what the file says about itself, and returns the mark it holds. The place in
// the order is that in its name.
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
			named := s.header
			if err := s.parse(meta.Get([]byte(keyHeader))); err != nil {
				return err
			}
			if s.ordinal = named.ordinal; s.epoch != named.epoch || s.first != named.first || s.kind != named.kind {
				return fmt.Errorf("%w: it is not what its name says", errDamaged)
			}
			st, ok := parseState(meta.Get([]byte(keyState)))
			if !ok || st.next <= s.first {
				return fmt.Errorf("%w: state % x", errDamaged, meta.Get([]byte(keyState)))
			}
			m, s.next, s.last, s.bytes = st.mark, st.next, st.last, tx.Size()
			return nil
		})
	})
}

// read returns batch n, which may be any in the file. The value is a copy, nil when only
// the key is wanted and of an entry that says no more than that the batch existed.
func (s *segment) read(n uint64, withValue bool) (e entry, err error) {
	if err = s.open(); err != nil {
		return e, err
	}
	return e, guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			k, v := tx.Bucket([]byte(batchBucket)).Cursor().Seek(seekKey(n))
			var ok bool
			if e.key, ok = parseKey(k); !ok || e.key.seq != n {
				e.key = key{}
				return fmt.Errorf("%w: batch %d is missing", errDamaged, n)
			}
			e.gone = len(v) == 0
			if withValue {
				e.value = append([]byte(nil), v...)
			}
			return nil
		})
	})
}

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
