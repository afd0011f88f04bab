package match

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Read reads sensors from a file, gzipped or not: a CSV with comma or semicolon and
// the columns sensor_id, lat, lng and, where known, bearing (degrees, 0 north, 90
// east); or any road network that roadnet.Import reads, each road of which is a
// sensor. Rows that cannot be used are left out and returned with their line and
// reason.
func Read(ctx context.Context, path string) (sensors []Sensor, refused []string, err error) {
	table, err := openTable(path)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read sensors: %w", err)
	case table == nil:
		n, _, err := roadnet.Import(ctx, path)
		if err != nil {
			return nil, nil, fmt.Errorf("read sensors: no table with the columns sensor_id, lat, lng, and no road network either: %w", err)
		}
		return FromNetwork(n), nil, nil
	}
	defer table.file.Close() //nolint:errcheck // only read
	sensors, refused, err = table.read(filepath.Base(path))
	if err != nil {
		return nil, nil, fmt.Errorf("read sensors: %w", err)
	}
	return sensors, refused, nil
}

// A table is a CSV of sensors with the places of its columns; bearing is -1 without.
type table struct {
	file                  *os.File
	rows                  *csv.Reader
	id, lat, lng, bearing int
	width                 int
}

// openTable opens a file as a table; nil when it is none.
func openTable(path string) (*table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &table{file: f}
	ok, err := t.header(bufio.NewReader(f))
	if err != nil || !ok {
		f.Close() //nolint:errcheck // only read
		return nil, err
	}
	return t, nil
}

func (t *table) header(r *bufio.Reader) (ok bool, err error) {
	if head, _ := r.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		gz, err := gzip.NewReader(r)
		if err != nil {
			return false, fmt.Errorf("not a whole gzip file: %w", err)
		}
		r = bufio.NewReader(gz)
	}
	if head, _ := r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = r.Discard(3) // it was there
	}
	head, _ := r.Peek(1 << 10)
	line, _, _ := bytes.Cut(head, []byte("\n"))
	t.rows = csv.NewReader(r)
	t.rows.FieldsPerRecord, t.rows.ReuseRecord = -1, true
	if bytes.Count(line, []byte(";")) >= 2 {
		t.rows.Comma = ';'
	}
	names := strings.Split(strings.ToLower(strings.TrimSpace(string(line))), string(t.rows.Comma))
	find := func(known ...string) int {
		return slices.IndexFunc(names, func(n string) bool { return slices.Contains(known, strings.Trim(n, `" `)) })
	}
	t.id, t.lat, t.lng = find("sensor_id", "sensor", "id"), find("lat", "latitude"), find("lng", "lon", "longitude")
	t.bearing, t.width = find("bearing", "heading"), len(names)
	if t.id < 0 || t.lat < 0 || t.lng < 0 {
		return false, nil
	}
	_, err = t.rows.Read()
	return err == nil, err
}

func (t *table) read(name string) (sensors []Sensor, refused []string, err error) {
	for {
		row, err := t.rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := t.rows.FieldPos(0)
		s, err := t.sensor(row)
		if err != nil {
			refused = append(refused, fmt.Sprintf("%s:%d: %v", name, line, err))
			continue
		}
		sensors = append(sensors, s)
	}
	if len(sensors) == 0 && len(refused) > 0 {
		return nil, nil, fmt.Errorf("none of %d rows can be used, the first because of %s", len(refused), refused[0])
	}
	return sensors, refused, nil
}

func (t *table) sensor(row []string) (Sensor, error) {
	s := Sensor{BearingDeg: math.NaN()}
	if len(row) != t.width {
		return s, fmt.Errorf("%d columns: want %d as in the header", len(row), t.width)
	}
	s.ID = strings.Clone(strings.TrimSpace(row[t.id]))
	lat, err1 := strconv.ParseFloat(strings.TrimSpace(row[t.lat]), 64)
	lng, err2 := strconv.ParseFloat(strings.TrimSpace(row[t.lng]), 64)
	switch {
	case s.ID == "":
		return s, errors.New("no sensor_id")
	case err1 != nil || err2 != nil || !(math.Abs(lat) <= 90 && math.Abs(lng) <= 180):
		return s, fmt.Errorf("position %q, %q: want latitude -90 to 90 and longitude -180 to 180", row[t.lat], row[t.lng])
	}
	s.At = traffic.Point{Lat: lat, Lng: lng}
	if t.bearing >= 0 && strings.TrimSpace(row[t.bearing]) != "" {
		deg, err := strconv.ParseFloat(strings.TrimSpace(row[t.bearing]), 64)
		if err != nil || !(deg >= 0 && deg <= 360) {
			return s, fmt.Errorf("bearing %q: want 0 to 360 degrees, or nothing", row[t.bearing])
		}
		s.BearingDeg = deg
	}
	return s, nil
}
