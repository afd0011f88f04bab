package predictor

import (
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A window is a stretch of event time with the buckets of all roads.
type window struct {
	roads []series
	// sizes are the buckets that hold readings of any road, in order of time.
	sizes []size
}

// A size is how many readings all roads together have in one bucket.
type size struct {
	start   time.Time
	samples int64
}

// A series is one road's buckets in order of time.
type series struct {
	road    traffic.RoadID
	buckets []scored
	// lo is the first bucket that a window may still need, as windows only move on.
	lo int
}

type scored struct {
	start   time.Time
	score   float64
	samples int64
}

// newWindow sorts buckets, which are ordered by road, then start, into series.
func newWindow(buckets []traffic.Bucket) *window {
	w := &window{}
	index := make(map[int64]int) // by begin in Unix seconds, into sizes
	all := make([]scored, 0, len(buckets))
	for i := range buckets {
		b := &buckets[i]
		v, ok := score.V1(b.Speed, b.Occupancy, b.Flow)
		if !ok {
			continue // no reading is without any quantity
		}
		if n := len(w.roads); n == 0 || w.roads[n-1].road != b.Road {
			w.roads = append(w.roads, series{road: b.Road})
		}
		all = append(all, scored{b.Start, v, b.Samples})
		r := &w.roads[len(w.roads)-1]
		r.buckets = all[len(all)-len(r.buckets)-1:]
		k, ok := index[b.Start.Unix()]
		if !ok {
			k = len(w.sizes)
			index[b.Start.Unix()] = k
			w.sizes = append(w.sizes, size{start: b.Start})
		}
		w.sizes[k].samples += b.Samples
	}
	slices.SortFunc(w.sizes, func(a, b size) int { return a.start.Compare(b.start) })
	return w
}

// count is the number of buckets from start on.
func (w *window) count(start time.Time) int {
	n := 0
	for i := range w.roads {
		for _, b := range w.roads[i].buckets {
			if !b.start.Before(start) {
				n++
			}
		}
	}
	return n
}

// points are the buckets in [begin, end) for the model. They share the memory of buf.
// begin never goes back.
func (s *series) points(buf *[]model.Point, begin, end time.Time) []model.Point {
	for s.lo < len(s.buckets) && s.buckets[s.lo].start.Before(begin) {
		s.lo++
	}
	out := (*buf)[:0]
	for _, b := range s.buckets[s.lo:] {
		if !b.start.Before(end) {
			break
		}
		out = append(out, model.Point{Minute: b.start.Sub(begin).Minutes(), Score: b.score, Samples: b.samples})
	}
	*buf = out
	return out
}
