package match_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/match"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sensors.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTable(t *testing.T) {
	for _, text := range []string{
		"sensor_id,lat,lng,bearing\nA,48.5,2.5,90\nB,48,2,\nC,98,2,0\n,48,2,0\nD,48,2,east\nE,48\n",
		"\xef\xbb\xbfLon;Bearing;Latitude;ID\r\n2.5;90;48.5;A\r\n2;;48;B\r\nx;;48;C\r\n2;;48;\r\n2;-1;48;D\r\n2\r\n",
	} {
		sensors, refused, err := match.Read(t.Context(), write(t, text))
		if err != nil {
			t.Fatal(err)
		}
		if len(sensors) != 2 || sensors[0].ID != "A" || sensors[0].At != (traffic.Point{Lat: 48.5, Lng: 2.5}) || sensors[0].BearingDeg != 90 {
			t.Errorf("%+v", sensors)
		}
		if sensors[1].ID != "B" || !math.IsNaN(sensors[1].BearingDeg) {
			t.Errorf("%+v", sensors)
		}
		if len(refused) != 4 || !strings.HasPrefix(refused[0], "sensors.csv:4: position") || !strings.HasPrefix(refused[3], "sensors.csv:7: ") {
			t.Errorf("%q", refused)
		}
	}
}

func TestReadNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.roads")
	if err := roadnet.Save(path, roadnet.FromRoads([]traffic.Road{road("r", "a", "b", at(0, 0), at(9, 9))})); err != nil {
		t.Fatal(err)
	}
	sensors, refused, err := match.Read(t.Context(), path)
	if err != nil || len(sensors) != 1 || sensors[0].ID != "r" || len(refused) != 0 {
		t.Errorf("%v, %+v, %q", err, sensors, refused)
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"hello":                     "no table with the columns sensor_id, lat, lng, and no road network either",
		"":                          "the file is empty",
		"id,lat,lng\nA,x,2\n":       "none of 1 rows can be used, the first because of sensors.csv:2: position",
		"id,lat,lng\nA,\"x\"y,2\n":  "sensors.csv: parse error",
		"\x1f\x8bnot gzip at all\n": "not a whole gzip file",
	} {
		if _, _, err := match.Read(t.Context(), write(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, _, err := match.Read(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
