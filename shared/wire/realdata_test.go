package wire

import (
	"compress/gzip"
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// dataFile opens a real data file beside the repository, and skips the test where
// the data is absent.
func dataFile(tb testing.TB, name string) *csv.Reader {
	tb.Helper()
	f, err := os.Open(realdata.Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	return csv.NewReader(z)
}

func rows(tb testing.TB, r *csv.Reader) [][]string {
	tb.Helper()
	all, err := r.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// losAngeles is five days of 207 loops, speed only, in the order of arrival. The mph
// of the file become km/h rounded to the given number of decimals.
func losAngeles(tb testing.TB, decimals int) []traffic.Reading {
	all := rows(tb, dataFile(tb, "los-loop-metr-la-week1/los_speed_day1-5.csv.gz"))
	at := time.Date(2012, 3, 1, 8, 0, 0, 0, time.UTC)
	unit := math.Pow10(decimals)
	var out []traffic.Reading
	for _, row := range all[1:] {
		for i, cell := range row {
			mph, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				tb.Fatal(err)
			}
			id := all[0][i]
			v := mph * 1.609344
			if decimals >= 0 {
				v = math.Round(v*unit) / unit
			}
			out = append(out, traffic.Reading{At: at, Sensor: traffic.SensorID(id), Road: traffic.RoadID(id), Speed: traffic.Some(v), Edge: "la"})
		}
		at = at.Add(5 * time.Minute)
	}
	score.NewScorer(1000).Score(out)
	return out
}

// paris is one arc's hourly history, flow and occupancy with gaps; stamps are taken
// as UTC, which does not matter for the format.
func paris(tb testing.TB) []traffic.Reading {
	var out []traffic.Reading
	place := &traffic.Place{Label: "AV_Champs_Elysees", Lat: traffic.Some(48.87069), Lng: traffic.Some(2.30494)}
	for _, row := range rows(tb, dataFile(tb, "paris-counts-history/champs_elysees_arc4264_2010-2022.csv.gz"))[1:] {
		at, err := time.Parse(time.DateTime, row[6])
		if err != nil {
			tb.Fatal(err)
		}
		r := traffic.Reading{At: at, Sensor: "PARIS-4264", Road: "PARIS-4264", Place: place, Edge: "paris"}
		if q, err := strconv.ParseFloat(row[7], 64); err == nil {
			r.Flow = traffic.Some(q)
		}
		if k, err := strconv.ParseFloat(row[8], 64); err == nil {
			r.Occupancy = traffic.Some(k / 100)
		}
		if r.Flow.Known() || r.Occupancy.Known() {
			out = append(out, r)
		}
	}
	score.NewScorer(1000).Score(out)
	return out
}
