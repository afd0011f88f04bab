package score

import (
	"testing"

	"pgregory.net/rapid"
)

// A scorer that goes on from what another one learned gives the same scores as if that
// one had gone on itself.
func TestMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := stream(rapid.IntRange(0, 2000).Draw(t, "before"), 7)
		for i := range first {
			first[i].Score = some(0.5) // learn only
		}
		a, b := NewScorer(10), NewScorer(10)
		a.Score(first)
		kept, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalBinary(kept); err != nil {
			t.Fatal(err)
		}
		then, again := stream(100, 9), stream(100, 9)
		a.Score(then)
		b.Score(again)
		for i := range then {
			if then[i].Score != again[i].Score {
				t.Fatalf("reading %d: %v and %v", i, then[i].Score, again[i].Score)
			}
		}
	})
}

// What is damaged is refused, and what is too much is left out.
func TestMemoryRefuses(t *testing.T) {
	s := NewScorer(10)
	s.Score(stream(100, 7))
	kept, _ := s.MarshalBinary()
	for i := range kept {
		bad := append([]byte(nil), kept...)
		bad[i] ^= 1
		if err := NewScorer(10).UnmarshalBinary(bad); err == nil {
			t.Errorf("byte %d is wrong and nobody notices", i)
		}
		if err := NewScorer(10).UnmarshalBinary(kept[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken", i, len(kept))
		}
	}
	small := NewScorer(3)
	if err := small.UnmarshalBinary(kept); err != nil || len(small.roads) != 3 {
		t.Errorf("%d roads, %v, want 3", len(small.roads), err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	s := NewScorer(10)
	s.Score(stream(100, 3))
	kept, _ := s.MarshalBinary()
	f.Add(kept[:len(kept)-sumBytes])
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sum(b)
		b = append(b, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
		s := NewScorer(10)
		if s.UnmarshalBinary(b) == nil {
			s.Score(stream(50, 3))
		}
	})
}
