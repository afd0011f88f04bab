package cch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// While weights change, each answer is right for the version that it names.
func TestAnswersBelongToTheirVersion(t *testing.T) {
	c := routingtest.Region(4, 2500)
	h := made(t, c.Graph, c.Points)
	const versions = 12
	weights := func(version uint64) []routing.Weight {
		w := slices.Clone(c.Millis)
		for e := range w {
			w[e] = w[e]*routing.Weight(version) + routing.Weight(version)*7
		}
		return w
	}
	r, err := NewRouter(h, weights(1))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for k := range int32(3) {
		group.Go(func() {
			search := routing.NewSearch(c.Graph)
			for i := range int32(60) {
				from, to := (i*37+k)%int32(c.Graph.Nodes()), (i*101)%int32(c.Graph.Nodes())
				a, err := r.Route(Ask{From: from, To: to})
				if err != nil {
					t.Error(err)
				}
				w := weights(a.Version)
				if want := search.Run(routing.Task{From: from, To: to, Weights: w}); a.Cost != want || routing.Cost(a.Way, w) != want {
					t.Errorf("version %d: %d to %d costs %d, want %d", a.Version, from, to, a.Cost, want)
				}
			}
		})
	}
	for v := uint64(2); v <= versions; v++ {
		m, err := r.Customize(weights(v))
		if err != nil || m.Version() != v {
			t.Errorf("version %d: %v, %v", v, m, err)
		}
	}
	group.Wait()
	closed := []Change{{Edge: 0, Weight: routing.Infinity}}
	if m, err := r.Update(closed); err != nil || m.Version() != versions+1 || r.Metric() != m {
		t.Errorf("update: %v", err)
	}
}

func TestOrderIsKept(t *testing.T) {
	c := routingtest.Region(4, 1500)
	h := made(t, c.Graph, c.Points)
	var file bytes.Buffer
	if err := h.Save(&file); err != nil {
		t.Fatal(err)
	}
	if want := 76 + 4*c.Graph.Nodes(); file.Len() != want {
		t.Errorf("%d bytes for %d nodes, want %d", file.Len(), c.Graph.Nodes(), want)
	}
	again, err := Load(c.Graph, bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.head, h.head) || !slices.Equal(again.rank, h.rank) {
		t.Error("another hierarchy came back")
	}
	if _, err := Load(c.Graph.Reverse(), bytes.NewReader(file.Bytes())); !errors.Is(err, ErrOtherGraph) {
		t.Errorf("order of another graph: %v", err)
	}
	for _, size := range []int{0, 7, 50, file.Len() - 1} {
		if _, err := Load(c.Graph, bytes.NewReader(file.Bytes()[:size])); !errors.Is(err, ErrBroken) {
			t.Errorf("first %d bytes: %v", size, err)
		}
	}
	damaged := slices.Clone(file.Bytes())
	damaged[200]++
	if _, err := Load(c.Graph, bytes.NewReader(damaged)); !errors.Is(err, ErrBroken) {
		t.Errorf("damaged: %v", err)
	}
	if _, err := Load(c.Graph, bytes.NewReader(append(file.Bytes(), 0))); !errors.Is(err, ErrBroken) {
		t.Errorf("a byte too many: %v", err)
	}
}

// Whatever the file holds: a hierarchy of the graph, or an error that says which kind.
func FuzzLoad(f *testing.F) {
	g, err := routing.NewGraph(4, []routing.Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 2, To: 3}})
	if err != nil {
		f.Fatal(err)
	}
	h, err := New(g, []int32{0, 2, 1, 3})
	if err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := h.Save(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes(), false)
	f.Add(file.Bytes()[:60], true)
	f.Fuzz(func(t *testing.T, b []byte, sign bool) {
		if sign && len(b) >= 32 { // get past the checksum
			sum := sha256.Sum256(b[:len(b)-32])
			b = append(slices.Clone(b[:len(b)-32]), sum[:]...)
		}
		h, err := Load(g, bytes.NewReader(b))
		switch {
		case err == nil:
			q := customized(t, h, []routing.Weight{1, 1, 1}).NewQuery()
			if cost := q.Cost(Ask{From: 0, To: 3}); cost != 3 {
				t.Errorf("0 to 3 costs %d, want 3", cost)
			}
		case !errors.Is(err, ErrBroken) && !errors.Is(err, ErrOtherGraph) && !errors.Is(err, errOrder):
			t.Errorf("%v", err)
		}
	})
}
