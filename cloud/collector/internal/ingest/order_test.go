package ingest

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestInOrder(t *testing.T) {
	const n = 1000
	in, out := make(chan piece), make(chan piece)
	go func() {
		defer close(in)
		tickets := make([]uint64, n)
		for i := range tickets {
			tickets[i] = uint64(i + 1)
		}
		for i := 0; i+maxDecoders <= n; i += maxDecoders { // as far out of order as decoders can bring them
			rand.Shuffle(maxDecoders, func(a, b int) { tickets[i+a], tickets[i+b] = tickets[i+b], tickets[i+a] })
		}
		for _, k := range tickets {
			in <- piece{ticket: k, void: k%10 == 0}
		}
	}()
	go func() { inOrder(in, out); close(out) }()
	var got []uint64
	for p := range out {
		got = append(got, p.ticket)
	}
	if len(got) != n*9/10 || !slices.IsSorted(got) {
		t.Errorf("%d pieces, sorted %v; want %d in order", len(got), slices.IsSorted(got), n*9/10)
	}
}
