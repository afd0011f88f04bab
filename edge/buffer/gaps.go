package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// gapsName is the file of what was lost and not yet reported: a wire batch without a
// number.
const gapsName = "gaps"

// A ledger is what the buffer lost, from when it happens until the centre acknowledges a
// batch that says so. It is on disk all the time; a gap may be reported again after a
// restart, and has the same name then.
type ledger struct {
	path string
	edge traffic.EdgeID
	// write replaces the file.
	write func(path string, content []byte) error

	mu      sync.Mutex // guards all below; nothing else is locked while it is held
	records []record
	// totals are the readings lost since Open.
	totals map[traffic.GapCause]int
	// asked says that a report is on its way to the committer.
	asked bool
}

type record struct {
	gap traffic.Gap
	// carrier is the batch that reports it, zero while there is none.
	carrier mark
}

// load reads what an earlier process left. A damaged file is reported and given up.
func (l *ledger) load() error {
	content, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	batch, err := wire.DecodeBatch(content)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	for _, g := range batch.Gaps {
		l.records = append(l.records, record{gap: g})
	}
	return nil
}

// save writes the file. The caller holds mu.
func (l *ledger) save() error {
	if len(l.records) == 0 {
		return os.Remove(l.path)
	}
	batch := wire.Batch{Edge: l.edge}
	for _, r := range l.records {
		batch.Gaps = append(batch.Gaps, r.gap)
	}
	content, err := wire.EncodeBatch(&batch)
	if err != nil {
		return err
	}
	return l.write(l.path, content)
}

// add notes a loss. What was going to be reported by one of the lost batches must be
// reported by another.
func (l *ledger) add(g traffic.Gap) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.records {
		if c := l.records[i].carrier; c.epoch == g.Epoch && c.seq >= g.FirstSeq && c.seq <= g.LastSeq {
			l.records[i].carrier = mark{}
		}
	}
	if l.covers(g) {
		return nil
	}
	if !l.grow(g, false) && (len(l.records) < wire.MaxBatchGaps || !l.grow(g, true)) {
		l.records = append(l.records, record{gap: g})
	}
	if len(l.records) > wire.MaxBatchGaps {
		l.records = l.records[1:] // a gap for each of hundreds of epochs: the oldest is the least news
	}
	return l.save()
}

// covers reports whether a loss is on record already. The caller holds mu.
func (l *ledger) covers(g traffic.Gap) bool {
	return slices.ContainsFunc(l.records, func(r record) bool {
		return r.gap.Cause == g.Cause && r.gap.Epoch == g.Epoch && r.gap.FirstSeq <= g.FirstSeq && g.LastSeq <= r.gap.LastSeq
	})
}

// dropped reports whether a segment was evicted: they go whole.
func (l *ledger) dropped(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.next > 0 && l.covers(traffic.Gap{Cause: traffic.GapEvicted, Epoch: s.epoch, FirstSeq: s.next - 1, LastSeq: s.next - 1})
}

// grow adds g to a gap that ends where it begins; with force to one that ends before.
func (l *ledger) grow(g traffic.Gap, force bool) bool {
	for i := range l.records {
		r := &l.records[i]
		have := r.gap
		if have.Cause != g.Cause || have.Epoch != g.Epoch || g.FirstSeq <= have.LastSeq || !force && g.FirstSeq != have.LastSeq+1 {
			continue
		}
		r.gap.LastSeq, r.gap.Readings, r.gap.Noticed = g.LastSeq, have.Readings+g.Readings, g.Noticed
		r.gap.From, r.gap.To = earlier(have.From, g.From), later(have.To, g.To)
		r.carrier = mark{} // what was reported is not all any more
		return true
	}
	return false
}

// earlier and later pass over times that are not known.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ask reports whether there is something to report that nobody was asked to.
func (l *ledger) ask() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked {
		return false
	}
	for _, r := range l.records {
		if r.carrier == (mark{}) {
			l.asked = true
			return true
		}
	}
	return false
}

// unreported returns the gaps without a carrier.
func (l *ledger) unreported() []traffic.Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	var gs []traffic.Gap
	for _, r := range l.records {
		if r.carrier == (mark{}) {
			gs = append(gs, r.gap)
		}
	}
	return gs
}

// reported notes which batch reports gaps that have not grown meanwhile, or, without a
// batch, that none does.
func (l *ledger) reported(gs []traffic.Gap, by mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = false
	for _, g := range gs {
		for i := range l.records {
			if l.records[i].gap == g {
				l.records[i].carrier = by
			}
		}
	}
}

// delivered removes what an acknowledged batch reported.
func (l *ledger) delivered(by mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := l.records[:0:0]
	for _, r := range l.records {
		if r.carrier != by {
			keep = append(keep, r)
		}
	}
	if len(keep) == len(l.records) {
		return nil
	}
	l.records = keep
	return l.save()
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.records)
}

func (b *Buffer) openLedger() {
	b.gaps = ledger{path: filepath.Join(b.cfg.Dir, gapsName), edge: b.cfg.Edge, write: b.replaceFile}
	if err := b.gaps.load(); err != nil {
		b.log.Error("cannot read which losses are not reported yet; the metrics of earlier days have them", "error", err)
	}
}

// lose puts a loss on record. It is lost whether or not the record can be written.
func (b *Buffer) lose(g traffic.Gap, kind kind) {
	g.Edge, g.Noticed = b.cfg.Edge, b.now().UTC().Truncate(traffic.Resolution)
	b.gaps.count(g)
	b.met.lostReadings.WithLabelValues(string(g.Cause), kind.String()).Add(float64(g.Readings))
	b.met.lostBatches.WithLabelValues(string(g.Cause), kind.String()).Add(float64(g.LastSeq - g.FirstSeq + 1))
	b.log.Warn("readings are lost", "cause", g.Cause, "kind", kind, "epoch", g.Epoch, "first", g.FirstSeq, "last", g.LastSeq,
		"readings", g.Readings, "from", g.From, "to", g.To)
	if err := b.gaps.add(g); err != nil {
		b.log.Error("cannot put a loss on record; it is reported unless the power goes", "error", err)
	}
}

// report asks the committer to write a batch about what was lost, now that somebody reads
// batches: while nobody does, gaps grow together.
func (b *Buffer) report() {
	if !b.gaps.ask() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.pending = append([]*item{{report: true, done: func(error) {}}}, b.pending...)
		b.signal()
	}
}

// packGaps makes the batch that report asks for.
func (b *Buffer) packGaps() ([]entry, []traffic.Gap, error) {
	gs := b.gaps.unreported()
	sent := append([]traffic.Gap(nil), gs...)
	for i := range sent {
		if isStamp(sent[i].Noticed) && !b.commit.undated {
			sent[i].Noticed = b.now() // noticed when the clock was not set
		}
	}
	batch := wire.Batch{Edge: b.cfg.Edge, Epoch: b.commit.epoch, Seq: b.commit.seq, Gaps: sent}
	value, err := wire.EncodeBatch(&batch)
	if err != nil {
		return nil, nil, fmt.Errorf("encode gaps: %w", err)
	}
	return []entry{{key: keyOf(&batch, value, b.now()), value: value}}, gs, nil
}

// gapOf is what is known of a batch from its key.
func (s *segment) gapOf(k key, cause traffic.GapCause) traffic.Gap {
	g := traffic.Gap{Cause: cause, Epoch: s.epoch, FirstSeq: k.seq, LastSeq: k.seq}
	if k.readings > wire.MaxBatchReadings || k.to.Before(k.from) {
		return g // the key is damaged
	}
	g.Readings = int(k.readings)
	if s.stamps && s.resolved {
		k = k.dated(s.offset)
	}
	if !isStamp(k.from) && !isStamp(k.to) {
		g.From, g.To = k.from, k.to
	}
	return g
}
