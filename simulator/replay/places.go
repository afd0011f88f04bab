package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// maxPlaces bounds a table of places.
const maxPlaces = 1 << 20

// placeColumns says where a table of places has what.
type placeColumns struct{ id, lat, lng, label int }

// readPlaces reads a table of sensor positions, with a header (…sensor_id, latitude,
// longitude…) or without (id, lat, lon). Unlike a row of measurements, a bad row is
// an error: the table is small and somebody wrote it.
func readPlaces(path string) (map[traffic.SensorID]*traffic.Place, error) {
	in, err := openInput(path, nil)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	head, _ := in.Peek(headBytes)
	r := csv.NewReader(in)
	r.Comma = delimiter(head)
	first, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, headerError(err))
	}
	places := make(map[traffic.SensorID]*traffic.Place)
	cols := placeColumns{id: 0, lat: 1, lng: 2, label: -1}
	if len(first) != 3 || add(places, cols, first) != nil { // then it is a header
		if cols, err = findPlaceColumns(first); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for len(places) < maxPlaces {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return places, nil
		}
		if err == nil {
			err = add(places, cols, fields)
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
	}
	return nil, fmt.Errorf("%s: more than %d places", path, maxPlaces)
}

func add(places map[traffic.SensorID]*traffic.Place, c placeColumns, fields []string) error {
	lat, err := coordinate("latitude", fields[c.lat], 90)
	if err != nil {
		return err
	}
	lng, err := coordinate("longitude", fields[c.lng], 180)
	if err != nil {
		return err
	}
	p := &traffic.Place{Lat: lat, Lng: lng}
	if c.label >= 0 {
		p.Label = fields[c.label]
	}
	places[traffic.SensorID(strings.TrimSpace(fields[c.id]))] = p
	return nil
}

func coordinate(name, s string, limit float64) (traffic.Value, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(math.Abs(f) <= limit) {
		return traffic.Value{}, fmt.Errorf("%s %q: want %g to %g degrees", name, s, -limit, limit)
	}
	return traffic.Some(f), nil
}

func findPlaceColumns(header []string) (placeColumns, error) {
	c := placeColumns{-1, -1, -1, -1}
	for i, h := range header {
		var at *int
		switch parisfeed.Fold(h) {
		case "sensorid", "id", "sensor", "counterid", "reportid", "scatsnumber":
			at = &c.id
		case "latitude", "lat":
			at = &c.lat
		case "longitude", "lng", "lon":
			at = &c.lng
		case "label", "name", "libelle", "countername", "sensorname":
			at = &c.label
		default:
			continue
		}
		if *at < 0 {
			*at = i
		}
	}
	if c.id < 0 || c.lat < 0 || c.lng < 0 {
		return c, columnsError(header, "sensor_id (or id), latitude (lat), longitude (lng, lon), and perhaps name")
	}
	return c, nil
}

// totalBytes is the size of all files, -1 where one is not a regular file.
func totalBytes(files []string) int64 {
	var sum int64
	for _, f := range files {
		n := fileSize(f)
		if n < 0 {
			return -1
		}
		sum += n
	}
	return sum
}
