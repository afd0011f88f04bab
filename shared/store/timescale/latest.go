package timescale

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// blockRoads is how many roads share a row of latest_blocks. More would be written
	// for one road that moves alone, fewer are more rows for an edge's roads.
	blockRoads = 32
	// latestLock is the advisory lock of whoever gives blocks to new roads. It is taken
	// before the rows of blocks are locked.
	latestLock = migrationLock + 3
)

// A latestBlock is a row of latest_blocks.
type latestBlock struct {
	states []latestState
	// added says that there is no such row yet, moved that it has to be written.
	added, moved bool
}

// A latestState is the newest state of a road.
type latestState struct {
	road   string
	at     int64
	packed []byte // as appendOffer wrote it
}

// unpack takes a row of latest_blocks apart.
func unpack(b []byte) (states []latestState, err error) {
	r := copyReader{b: b}
	for len(r.b) > 0 {
		from := r.b
		s := r.reading()
		if r.err != nil {
			return nil, r.err
		}
		states = append(states, latestState{road: string(s.Road), at: row.Micros(s.At), packed: from[:len(from)-len(r.b)]})
	}
	return states, nil
}

// latestBlocks are blocks of roads, locked until the end of the transaction.
type latestBlocks struct {
	of     map[string]int32 // the block of each road
	blocks map[int32]*latestBlock
	fresh  []string            // the roads that had no block, in the order of ids
	moved  []traffic.RoadState // the states that became newer, by road
}

// moveLatest reads the blocks of roads and puts in the states that are newer. It asks for
// the blocks of roads that this process does not remember, and gives them one.
func (a *appending) moveLatest(ctx context.Context, roads []*roadNews) (*latestBlocks, error) {
	l := &latestBlocks{blocks: map[int32]*latestBlock{}}
	if len(roads) == 0 {
		return l, nil
	}
	var unknown []string
	l.of, unknown = a.s.memory.blocksOf(roads)
	next := int32(0)
	if len(unknown) > 0 {
		var err error
		if next, err = a.findBlocks(ctx, l, unknown); err != nil {
			return nil, fmt.Errorf("find their blocks: %w", err)
		}
	}
	numbers := slices.Compact(slices.Sorted(maps.Values(l.of)))
	if len(l.fresh) > 0 && next > 0 && !slices.Contains(numbers, next-1) {
		numbers = append(numbers, next-1) // may have room
	}
	if err := a.lockBlocks(ctx, l, numbers); err != nil {
		return nil, fmt.Errorf("lock their blocks: %w", err)
	}
	l.place(next)
	for _, n := range roads {
		b := l.blocks[l.of[n.id]]
		if b == nil {
			return nil, fmt.Errorf("block %d of road %q is gone", l.of[n.id], n.id)
		}
		l.move(n, b)
	}
	return l, nil
}

// findBlocks asks in which blocks roads are. When some are in none, no other transaction
// gives blocks to roads until this one ends. It returns the number of the next new block.
func (a *appending) findBlocks(ctx context.Context, l *latestBlocks, roads []string) (next int32, err error) {
	ask := func(b *pgx.Batch) {
		b.Queue(`SELECT road_id, block FROM road_blocks WHERE road_id = ANY($1)`, roads).Query(func(rows pgx.Rows) error {
			var road string
			var block int32
			_, err := pgx.ForEachRow(rows, []any{&road, &block}, func() error { l.of[road] = block; return nil })
			return err
		})
	}
	var b pgx.Batch
	ask(&b)
	if err := a.conn.SendBatch(ctx, &b).Close(); err != nil {
		return 0, err
	}
	known := func(road string) bool { _, ok := l.of[road]; return ok }
	if l.fresh = slices.DeleteFunc(roads, known); len(l.fresh) == 0 {
		return 0, nil
	}
	roads, b = l.fresh, pgx.Batch{}
	b.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(latestLock))
	ask(&b) // again: others may have been faster
	b.Queue(`SELECT coalesce(max(block) + 1, 0) FROM latest_blocks`).QueryRow(func(r pgx.Row) error { return r.Scan(&next) })
	if err := a.conn.SendBatch(ctx, &b).Close(); err != nil {
		return 0, err
	}
	l.fresh = slices.DeleteFunc(l.fresh, known)
	return next, nil
}

// lockBlocks reads blocks. All writers lock them in the order of their numbers.
func (a *appending) lockBlocks(ctx context.Context, l *latestBlocks, numbers []int32) error {
	rows, err := a.conn.Query(ctx, `SELECT block, states FROM latest_blocks WHERE block = ANY($1) ORDER BY block FOR NO KEY UPDATE`, numbers)
	if err != nil {
		return err
	}
	var n int32
	var packed []byte
	_, err = pgx.ForEachRow(rows, []any{&n, &packed}, func() error {
		states, err := unpack(packed)
		if err != nil {
			return fmt.Errorf("block %d: %w", n, err)
		}
		l.blocks[n] = &latestBlock{states: states}
		return nil
	})
	return err
}

// place gives the roads that have no block one: the last while it has room, then new ones.
func (l *latestBlocks) place(next int32) {
	last := next - 1
	used := blockRoads
	if b := l.blocks[last]; b != nil {
		used = len(b.states)
	}
	for _, road := range l.fresh {
		if used == blockRoads {
			last, used = last+1, 0
			l.blocks[last] = &latestBlock{added: true}
		}
		l.of[road] = last
		used++
	}
}

// move puts a road's newest reading in its block, if that is newer than what is there.
func (l *latestBlocks) move(n *roadNews, b *latestBlock) {
	o := n.newest
	i := slices.IndexFunc(b.states, func(s latestState) bool { return s.road == n.id })
	if i < 0 {
		i = len(b.states)
		b.states = append(b.states, latestState{road: n.id, at: math.MinInt64})
	}
	s := &b.states[i]
	if o.At <= s.at {
		n.known.latest = s.at
		return
	}
	s.at, s.packed, b.moved, n.known.latest = o.At, appendOffer(nil, o), true, o.At
	l.moved = append(l.moved, o.State())
}

// queue adds the statements that write what has moved.
func (l *latestBlocks) queue(b *pgx.Batch) {
	var old, added struct {
		numbers []int32
		states  [][]byte
	}
	for n, block := range l.blocks {
		if !block.moved {
			continue
		}
		var packed []byte
		for _, s := range block.states {
			packed = append(packed, s.packed...)
		}
		to := &old
		if block.added {
			to = &added
		}
		to.numbers, to.states = append(to.numbers, n), append(to.states, packed)
	}
	if len(old.numbers) > 0 {
		b.Queue(`UPDATE latest_blocks b SET states = i.states FROM unnest($1::integer[], $2::bytea[]) AS i (block, states) WHERE b.block = i.block`,
			old.numbers, old.states)
	}
	if len(added.numbers) > 0 {
		b.Queue(`INSERT INTO latest_blocks (block, states) SELECT * FROM unnest($1::integer[], $2::bytea[])`, added.numbers, added.states)
	}
	if len(l.fresh) > 0 {
		b.Queue(`INSERT INTO road_blocks (road_id, block) SELECT * FROM unnest($1::text[], $2::integer[])`,
			l.fresh, column(l.fresh, func(road *string) int32 { return l.of[*road] }))
	}
}

// Latest lists the newest state of each road, by road. Of a page the blocks are read that
// hold its roads.
func (s *Store) Latest(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.RoadState, store.Cursor, error) {
	const verb = "list latest states"
	limit := row.Limit(p)
	wanted := new(query).add(`SELECT r.road_id, r.block FROM road_blocks r`)
	if f.BBox != nil {
		wanted.add(`JOIN roads g ON g.road_id = r.road_id`)
	}
	if err := filterRoads(wanted, "g", f, p); err != nil {
		return nil, "", fmt.Errorf("%s: %w", verb, err)
	}
	wanted.add(`ORDER BY r.road_id LIMIT ?`, limit+1)
	blocks := map[int32]struct{}{}
	roads := map[traffic.RoadID]struct{}{}
	err := s.each(ctx, verb, wanted, func(rows pgx.Rows) error {
		var road string
		var block int32
		err := rows.Scan(&road, &block)
		roads[traffic.RoadID(road)], blocks[block] = struct{}{}, struct{}{}
		return err
	})
	if err != nil || len(roads) == 0 {
		return nil, "", err
	}
	out, err := s.statesIn(ctx, slices.Sorted(maps.Keys(blocks)), len(roads), func(road traffic.RoadID) bool { _, ok := roads[road]; return ok })
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", verb, err)
	}
	return row.Cut(out, limit, func(r *traffic.RoadState) []any { return []any{r.Road} })
}

// statesIn reads the states of the wanted roads, about n, in some blocks, and sorts them.
func (s *Store) statesIn(ctx context.Context, blocks []int32, n int, wanted func(traffic.RoadID) bool) ([]traffic.RoadState, error) {
	sel := new(query).add(`SELECT states FROM latest_blocks WHERE block = ANY(?)`, blocks)
	out := make([]traffic.RoadState, 0, n)
	err := s.each(ctx, "read blocks", sel, func(rows pgx.Rows) error {
		var packed pgtype.DriverBytes
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		r := copyReader{b: packed}
		for len(r.b) > 0 && r.err == nil {
			if state := r.reading(); r.err == nil && wanted(state.Road) {
				out = append(out, traffic.RoadState{Reading: state})
			}
		}
		return r.err
	})
	slices.SortFunc(out, func(a, b traffic.RoadState) int { return strings.Compare(string(a.Road), string(b.Road)) })
	return out, err
}
