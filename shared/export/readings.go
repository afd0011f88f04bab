package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Window says what to export.
type Window struct {
	// From and To bound the rows' times, half open; zero is open.
	From, To time.Time
	// Keep, where set, says of which roads rows are wanted.
	Keep func(traffic.RoadID) bool
	// Places gives GeoJSON its points; nil knows none.
	Places Places
	// Progress, where set, is called with the number of rows written so far.
	Progress func(rows int)
}

// reading is a row of an export of readings.
type reading struct {
	TS        time.Time `csv:"ts" json:"ts" parquet:"ts,timestamp(microsecond)"`
	Sensor    string    `csv:"sensor_id" json:"sensor_id" parquet:"sensor_id,dict"`
	Road      string    `csv:"road_id" json:"road_id" parquet:"road_id,dict"`
	Speed     *float64  `csv:"speed_kmh" json:"speed_kmh,omitempty" parquet:"speed_kmh,optional"`
	Flow      *float64  `csv:"flow_rate" json:"flow_rate,omitempty" parquet:"flow_rate,optional"`
	Occupancy *float64  `csv:"occupancy" json:"occupancy,omitempty" parquet:"occupancy,optional"`
	Score     *float64  `csv:"congestion_score" json:"congestion_score,omitempty" parquet:"congestion_score,optional"`
	// Quality holds the flags of traffic.Quality as a number.
	Quality uint32 `csv:"quality" json:"quality" parquet:"quality"`
	Edge    string `csv:"edge_id" json:"edge_id,omitempty" parquet:"edge_id,dict"`
}

func rowOf(r *traffic.Reading) reading {
	return reading{
		TS: r.At.UTC(), Sensor: string(r.Sensor), Road: string(r.Road), Speed: optional(r.Speed), Flow: optional(r.Flow),
		Occupancy: optional(r.Occupancy), Score: optional(r.Score), Quality: uint32(r.Quality), Edge: string(r.Edge),
	}
}

func (r *reading) reading() traffic.Reading {
	return traffic.Reading{
		At: r.TS.UTC(), Sensor: traffic.SensorID(r.Sensor), Road: traffic.RoadID(r.Road), Speed: value(r.Speed), Flow: value(r.Flow),
		Occupancy: value(r.Occupancy), Score: value(r.Score), Quality: traffic.Quality(r.Quality), Edge: traffic.EdgeID(r.Edge),
	}
}

func optional(v traffic.Value) *float64 {
	if x, ok := v.Get(); ok {
		return &x
	}
	return nil
}

func value(p *float64) traffic.Value {
	if p == nil {
		return traffic.Value{}
	}
	return traffic.Some(*p)
}

// Readings writes the readings of a window in the order of time and sensor, and returns
// how many there were. On an error w holds the beginning of a file and no end.
func Readings(ctx context.Context, w io.Writer, f Format, from store.ReadingScanner, win Window) (rows int, err error) {
	t, err := newTable[reading](w, f, win.Places)
	if err != nil {
		return 0, err
	}
	piece := make([]reading, 0, store.ScanPiece)
	err = from.ScanReadings(ctx, win.From, win.To, func(rs []traffic.Reading) error {
		piece = piece[:0]
		for i := range rs {
			if win.wants(rs[i].Road) {
				piece = append(piece, rowOf(&rs[i]))
			}
		}
		rows += len(piece)
		if err := t.write(piece); err != nil {
			return err
		}
		win.report(rows)
		return nil
	})
	if err != nil {
		return rows, fmt.Errorf("export readings: %w", err)
	}
	return rows, t.close()
}

func (w *Window) wants(id traffic.RoadID) bool { return w.Keep == nil || w.Keep(id) }

func (w *Window) report(rows int) {
	if w.Progress != nil {
		w.Progress(rows)
	}
}

// ReadParquet calls each with the readings of a file that Readings wrote as Parquet, in
// pieces. The error names what the file lacks.
func ReadParquet(file io.ReaderAt, size int64, each func([]traffic.Reading) error) error {
	f, err := parquet.OpenFile(file, size)
	if err != nil {
		return fmt.Errorf("read Parquet: %w", err)
	}
	for _, name := range []string{"ts", "sensor_id", "road_id"} {
		if _, ok := f.Schema().Lookup(name); !ok {
			return fmt.Errorf("read Parquet: no column %q: want a file of exported readings, with ts, sensor_id, road_id and quantities", name)
		}
	}
	r := parquet.NewGenericReader[reading](f)
	defer func() { _ = r.Close() }() // it was only read
	rows := make([]reading, store.ScanPiece)
	for {
		n, err := r.Read(rows)
		piece := make([]traffic.Reading, n)
		for i := range piece {
			piece[i] = rows[i].reading()
		}
		if n > 0 {
			if err := each(piece); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read Parquet: %w", err)
		}
	}
}
