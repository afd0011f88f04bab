package buffer

import (
	"maps"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// count adds a loss to the totals of this process.
func (l *ledger) count(g traffic.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.totals == nil {
		l.totals = make(map[traffic.GapCause]int)
	}
	l.totals[g.Cause] += g.Readings
}

// Lost is how many readings were lost since Open by cause, as far as a damaged disk tells.
// Thinned ones live on as averages.
func (b *Buffer) Lost() map[traffic.GapCause]int {
	b.gaps.mu.Lock()
	defer b.gaps.mu.Unlock()
	return maps.Clone(b.gaps.totals)
}
