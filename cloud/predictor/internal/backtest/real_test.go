package backtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/dataset"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/realdata"
)

// TestProtocol holds the errors of persistence against those of the design's table,
// which were computed by other programs: that proves the protocol.
func TestProtocol(t *testing.T) {
	path := realdata.Path(t, "los-loop-metr-la-week1", "los_speed_day1-5.csv.gz")
	s, err := dataset.Open(path, dataset.Options{Start: time.Date(2012, 3, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProtocol("tgcn", s.Grid)
	if err != nil {
		t.Fatal(err)
	}
	// Of the trained models only persistence matters here, so an hour of history does.
	short := p
	short.Train = 12
	b, err := Train(context.Background(), short, s.Grid, s.Graph, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	scores, err := Run(p, s.Grid, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2.90 5.24", "3.33 6.33", "3.71 7.20", "4.05 7.94"} {
		e := scores[0].At[i]
		if got := fmt.Sprintf("%.2f %.2f", e.MAE(), e.RMSE()); got != want {
			t.Errorf("%d min: %s, want %s", minutes(s.Grid, p.Report[i]), got, want)
		}
	}
}
