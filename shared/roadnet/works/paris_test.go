//go:build !race

package works_test

// The race detector makes these slow and sees nothing in them: they have one goroutine.

import (
	"math"
	"testing"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/works"
)

func TestWorksOfParis(t *testing.T) {
	arcs, _, err := roadnet.Import(t.Context(), realdata.Path(t, "paris-referentiel/referentiel-comptages-routiers.labels-fr.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	x := roadnet.NewIndex(arcs.Roads)
	for _, c := range []struct {
		file                                string
		rows, works, wrongInstants, located int
		kinds                               map[works.Kind]int
	}{
		{"fermetures-voirie.csv.gz", 117, 117, 117, 116, map[works.Kind]int{works.Closed: 117}},
		{
			"chantiers-perturbants_older.csv.gz", 192, 191, 0, 97,
			map[works.Kind]int{works.Closed: 19, works.Narrowed: 142, works.OneWay: 23, works.DeadEnd: 3},
		},
		{"chantiers-a-paris.csv.gz", 5175, 5175, 0, 382, map[works.Kind]int{works.Narrowed: 2490}},
	} {
		t.Run(c.file, func(t *testing.T) {
			w, rep, err := works.Import(t.Context(), realdata.Path(t, "paris-roadworks/"+c.file))
			if err != nil {
				t.Fatal(err)
			}
			works.Locate(x, w, rep)
			t.Log(rep)
			if rep.Rows != c.rows || rep.Works != c.works || rep.Counts[works.WrongInstant] != c.wrongInstants || rep.Located != c.located {
				t.Errorf("want %d rows, %d works, %d wrong instants, %d located", c.rows, c.works, c.wrongInstants, c.located)
			}
			kinds := make(map[works.Kind]int)
			for i := range w {
				kinds[w[i].Kind]++
				for _, touch := range w[i].Roads {
					if !(touch.Share > 0 && touch.Share <= 1) || math.IsNaN(touch.CoveredM) {
						t.Fatalf("%+v", touch)
					}
				}
			}
			for k, n := range c.kinds {
				if kinds[k] != n {
					t.Errorf("%s: %d works, want %d", k, kinds[k], n)
				}
			}
		})
	}
}
