package export_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/export"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// shelf is a store of readings and predictions that are given in order.
type shelf struct {
	readings    []traffic.Reading
	predictions []traffic.Prediction
	err         error
	store.ForecastReader
}

func (s *shelf) ScanReadings(_ context.Context, _, _ time.Time, each func([]traffic.Reading) error) error {
	for rest := s.readings; len(rest) > 0; {
		n := min(len(rest), store.ScanPiece)
		if err := each(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return s.err
}

func (s *shelf) Predictions(_ context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	from := 0
	if q.Page.After != "" {
		if err := q.Page.After.Parse(&from); err != nil {
			return nil, "", err
		}
	}
	to := min(from+q.Page.Limit, len(s.predictions))
	if to == len(s.predictions) {
		return s.predictions[from:], "", s.err
	}
	next, err := store.MakeCursor(to)
	return s.predictions[from:to], next, errors.Join(err, s.err)
}

func genReading() *rapid.Generator[traffic.Reading] {
	value := func(t *rapid.T, name string) traffic.Value {
		if rapid.Bool().Draw(t, "no "+name) {
			return traffic.Value{}
		}
		return traffic.Some(rapid.Float64Range(0, 250).Draw(t, name))
	}
	name := rapid.SampledFrom([]string{"PARIS-1", "é;,\"'", " a b ", "=1+1"})
	return rapid.Custom(func(t *rapid.T) traffic.Reading {
		return traffic.Reading{
			At:     time.UnixMicro(rapid.Int64Range(946_684_800_000_000, 4_000_000_000_000_000).Draw(t, "at")).UTC(),
			Sensor: traffic.SensorID(name.Draw(t, "sensor")), Road: traffic.RoadID(name.Draw(t, "road")),
			Speed: value(t, "speed"), Flow: value(t, "flow"), Occupancy: value(t, "occupancy"), Score: value(t, "score"),
			Quality: traffic.Quality(rapid.Uint32Range(0, 15).Draw(t, "quality")), Edge: traffic.EdgeID(rapid.SampledFrom([]string{"", "E1"}).Draw(t, "edge")),
		}
	})
}

func write(t interface{ Fatal(...any) }, f export.Format, rs []traffic.Reading) []byte {
	var out bytes.Buffer
	n, err := export.Readings(context.Background(), &out, f, &shelf{readings: rs}, export.Window{})
	if err != nil || n != len(rs) {
		t.Fatal(fmt.Sprintf("exported %d of %d readings: %v", n, len(rs), err))
	}
	return out.Bytes()
}

// What is exported is what was stored, in each format, to the last bit.
func TestEveryFormatHoldsTheReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(genReading(), 0, 20).Draw(t, "readings")
		p := write(t, export.Parquet, want)
		var back []traffic.Reading
		err := export.ReadParquet(bytes.NewReader(p), int64(len(p)), func(rs []traffic.Reading) error {
			back = append(back, rs...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "Parquet", back, want)
		same(t, "CSV", readCSV(t, write(t, export.CSV, want)), want)
		same(t, "NDJSON", readNDJSON(t, write(t, export.NDJSON, want)), want)
		same(t, "GeoJSON", readNDJSON(t, properties(t, write(t, export.GeoJSON, want))), want)
	})
}

func same(t *rapid.T, format string, got, want []traffic.Reading) {
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", format, got, want)
	}
}

// readCSV reads with nothing but the names in the header.
func readCSV(t *rapid.T, p []byte) (out []traffic.Reading) {
	rows, err := csv.NewReader(bytes.NewReader(p)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, cells := range rows[1:] {
		c := make(map[string]string)
		for i, name := range rows[0] {
			c[name] = cells[i]
		}
		quality, err := strconv.ParseUint(c["quality"], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, traffic.Reading{
			At: parseTime(t, c["ts"]), Sensor: traffic.SensorID(c["sensor_id"]), Road: traffic.RoadID(c["road_id"]),
			Speed: number(t, c["speed_kmh"]), Flow: number(t, c["flow_rate"]), Occupancy: number(t, c["occupancy"]),
			Score: number(t, c["congestion_score"]), Quality: traffic.Quality(quality), Edge: traffic.EdgeID(c["edge_id"]),
		})
	}
	return out
}

func parseTime(t *rapid.T, s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func number(t *rapid.T, s string) traffic.Value {
	if s == "" {
		return traffic.Value{}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return traffic.Some(x)
}

func readNDJSON(t *rapid.T, p []byte) (out []traffic.Reading) {
	for lines := bufio.NewScanner(bytes.NewReader(p)); lines.Scan(); {
		var r struct {
			TS      time.Time        `json:"ts"`
			Sensor  traffic.SensorID `json:"sensor_id"`
			Road    traffic.RoadID   `json:"road_id"`
			Speed   traffic.Value    `json:"speed_kmh"`
			Flow    traffic.Value    `json:"flow_rate"`
			Occ     traffic.Value    `json:"occupancy"`
			Score   traffic.Value    `json:"congestion_score"`
			Quality traffic.Quality  `json:"quality"`
			Edge    traffic.EdgeID   `json:"edge_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, traffic.Reading{
			At: r.TS.UTC(), Sensor: r.Sensor, Road: r.Road, Speed: r.Speed, Flow: r.Flow,
			Occupancy: r.Occ, Score: r.Score, Quality: r.Quality, Edge: r.Edge,
		})
	}
	return out
}

// properties are those of all features, one a line.
func properties(t interface{ Fatal(...any) }, p []byte) []byte {
	var c struct {
		Type     string
		Features []struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal(p, &c); err != nil || c.Type != "FeatureCollection" {
		t.Fatal(fmt.Sprintf("%v in %s", err, p))
	}
	var lines []byte
	for _, f := range c.Features {
		lines = append(append(lines, f.Properties...), '\n')
	}
	return lines
}

// Only the roads that are wanted come, each at its place.
func TestSomeRoadsOnTheMap(t *testing.T) {
	s := &shelf{readings: []traffic.Reading{{Road: "a"}, {Road: "b"}, {Road: "c", Speed: traffic.Some(5)}}}
	win := export.Window{
		Keep:   func(id traffic.RoadID) bool { return id != "a" },
		Places: func(id traffic.RoadID) (traffic.Point, bool) { return traffic.Point{Lat: 48.5, Lng: 2.25}, id == "c" },
	}
	var out bytes.Buffer
	n, err := export.Readings(t.Context(), &out, export.GeoJSON, s, win)
	const want = `{"type":"FeatureCollection","features":[
{"type":"Feature","geometry":null,"properties":{"ts":"0001-01-01T00:00:00Z","sensor_id":"","road_id":"b","quality":0}}
,{"type":"Feature","geometry":{"type":"Point","coordinates":[2.25,48.5]},"properties":{"ts":"0001-01-01T00:00:00Z","sensor_id":"","road_id":"c","speed_kmh":5,"quality":0}}
]}
`
	if err != nil || n != 2 || out.String() != want {
		t.Errorf("%d rows, %v:\n%s", n, err, out.String())
	}
}

// A table without rows still says what its columns are.
func TestEmpty(t *testing.T) {
	if got := string(write(t, export.CSV, nil)); got != "ts,sensor_id,road_id,speed_kmh,flow_rate,occupancy,congestion_score,quality,edge_id\n" {
		t.Errorf("CSV %q", got)
	}
	if lines := properties(t, write(t, export.GeoJSON, nil)); len(lines) > 0 {
		t.Errorf("features of nothing: %s", lines)
	}
	p := write(t, export.Parquet, nil)
	if err := export.ReadParquet(bytes.NewReader(p), int64(len(p)), func([]traffic.Reading) error { return errors.New("a piece") }); err != nil {
		t.Errorf("an empty Parquet file: %v", err)
	}
}

func TestPredictions(t *testing.T) {
	s := &shelf{}
	for i := range store.ScanPiece + 10 {
		s.predictions = append(s.predictions, traffic.Prediction{
			At: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), Road: traffic.RoadID(fmt.Sprint("R", i)), HorizonMin: 15,
			Score: 0.25, Confidence: 0.5, Model: "ewma-lr-v2", Upper: traffic.Some(0.75),
		})
	}
	var seen []int
	for _, f := range export.Formats() {
		var out bytes.Buffer
		n, err := export.Predictions(t.Context(), &out, f, s, export.Window{Progress: func(n int) { seen = append(seen, n) }})
		if err != nil || n != len(s.predictions) {
			t.Fatalf("%s: %d of %d predictions: %v", f, n, len(s.predictions), err)
		}
		if f == export.CSV && !strings.Contains(out.String(), "\n2026-03-02T08:00:00Z,2026-03-02T08:15:00Z,R7,15,0.25,0.5,ewma-lr-v2,,,0.75\n") {
			t.Errorf("CSV: %.300s", out.String())
		}
	}
	if len(seen) != 8 || seen[1] != len(s.predictions) {
		t.Errorf("progress %v, want two steps for each format", seen)
	}
}

// An export that cannot be finished is an error and not a short file.
func TestErrors(t *testing.T) {
	gone := errors.New("database gone")
	s := &shelf{readings: make([]traffic.Reading, 3), err: gone}
	for _, f := range export.Formats() {
		if _, err := export.Readings(t.Context(), new(bytes.Buffer), f, s, export.Window{}); !errors.Is(err, gone) {
			t.Errorf("%s: error %v, want the store's", f, err)
		}
		if _, err := export.Readings(t.Context(), full{}, f, &shelf{readings: make([]traffic.Reading, 60_000)}, export.Window{}); err == nil {
			t.Errorf("%s: no error from a full disk", f)
		}
	}
	if _, err := export.ParseFormat("xlsx"); err == nil || !strings.Contains(err.Error(), "xlsx") || !strings.Contains(err.Error(), "parquet") {
		t.Errorf("error %v, want one that names the value and the formats", err)
	}
	var out bytes.Buffer
	if _, err := export.Predictions(t.Context(), &out, export.Parquet, &shelf{predictions: make([]traffic.Prediction, 1)}, export.Window{}); err != nil {
		t.Fatal(err)
	}
	if err := export.ReadParquet(bytes.NewReader(out.Bytes()), int64(out.Len()), nil); err == nil || !strings.Contains(err.Error(), "sensor_id") {
		t.Errorf("predictions read as readings: %v, want the missing column", err)
	}
	if err := export.ReadParquet(strings.NewReader("ts,sensor"), 9, nil); err == nil {
		t.Error("a text file was read as Parquet")
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
