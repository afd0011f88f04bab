package row

// maxSpans is how many pieces of time single readings are read from at most, unless
// they were dropped in between.
const maxSpans = 8

// A Block is a piece of time of one width that holds readings.
type Block struct {
	// Start is in microseconds.
	Start int64
	// Ready says that its averages are up to date, Dropped that its single
	// readings are gone.
	Ready, Dropped bool
}

// A Span is the time from From up to, but without, To, in microseconds.
type Span struct{ From, To int64 }

// Plan says from which pieces of time single readings must be read to average all of
// bounds, and whether there is anything else: that is in the averages of blocks outside
// of these pieces and wholly within the bounds. Blocks are sorted by time.
func Plan(blocks []Block, width int64, bounds Span) (raw []Span, rolled bool) {
	raw, rolled = plan(blocks, width, bounds, true)
	if len(raw) > maxSpans {
		raw, rolled = plan(blocks, width, bounds, false)
	}
	return raw, rolled
}

// plan reads single readings only where it must if it is frugal, otherwise wherever
// there are some.
func plan(blocks []Block, width int64, bounds Span, frugal bool) (raw []Span, rolled bool) {
	open := false // the last block's readings are needed
	for i := range blocks {
		b := &blocks[i]
		whole := b.Start >= bounds.From && b.Start+width <= bounds.To
		if b.Dropped || whole && b.Ready && frugal {
			open, rolled = false, true
			continue
		}
		s := Span{max(b.Start, bounds.From), min(b.Start+width, bounds.To)}
		if open {
			raw[len(raw)-1].To = s.To
		} else {
			raw = append(raw, s)
		}
		open = true
	}
	return raw, rolled
}
