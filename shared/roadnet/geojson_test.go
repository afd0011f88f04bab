package roadnet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb/geojson"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestWriteGeoJSON(t *testing.T) {
	n := roadnet.FromRoads([]traffic.Road{
		{
			ID: "a", Label: `Rue "A"`, Class: traffic.ClassPrimary, FromNode: "0", ToNode: "1", LengthM: traffic.Some(12.5),
			FreeFlowKMH: traffic.Some(50), Geometry: [][]traffic.Point{{{Lat: 48, Lng: 2}, {Lat: 48.5, Lng: 2.5}}},
		},
		{ID: "b", Geometry: [][]traffic.Point{{{Lat: 1, Lng: 2}, {Lat: 3, Lng: 4}}, {{Lat: 5, Lng: 6}, {Lat: 7, Lng: 8}}}},
		{ID: "c"},
	})
	n.Layers = map[traffic.RoadID]int8{"a": -1}
	var got bytes.Buffer
	if err := roadnet.WriteGeoJSON(&got, n); err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"FeatureCollection","features":[
{"type":"Feature","geometry":{"type":"LineString","coordinates":[[2,48],[2.5,48.5]]},"properties":{"id":"a","name":"Rue \"A\"","class":"primary","from":"0","to":"1","length_m":12.5,"free_flow_kmh":50,"layer":-1}},
{"type":"Feature","geometry":{"type":"MultiLineString","coordinates":[[[2,1],[4,3]],[[6,5],[8,7]]]},"properties":{"id":"b"}},
{"type":"Feature","geometry":null,"properties":{"id":"c"}}
]}
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestGeoJSONIsReadByOthers(t *testing.T) {
	n := randomNetwork(rand.New(rand.NewPCG(5, 6)), 50)
	var b bytes.Buffer
	if err := roadnet.WriteGeoJSON(&b, n); err != nil {
		t.Fatal(err)
	}
	fc, err := geojson.UnmarshalFeatureCollection(b.Bytes())
	if err != nil || len(fc.Features) != 50 {
		t.Errorf("%v: %d features", err, len(fc.Features))
	}
	full := errors.New("disk full")
	if err := roadnet.WriteGeoJSON(failing{full}, n); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
