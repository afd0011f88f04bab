package roadnet

import (
	"bytes"
	"context"
	"io"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/roadnetpb"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// memoryInput is a file in memory.
func memoryInput(name string, content []byte) *input {
	return &input{
		ctx: context.Background(), name: name, passes: 1,
		raw: func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

func seedNetwork() *Network {
	return FromRoads([]traffic.Road{
		{ID: "a", Label: "Rue A", FromNode: "0", ToNode: "1", Geometry: [][]traffic.Point{{{Lat: 48, Lng: 2}, {Lat: 48.1, Lng: 2}}}},
		{ID: "b", FromNode: "1", ToNode: "0", LengthM: traffic.Some(3), Class: traffic.ClassPrimary},
	})
}

// Whatever the columns hold, they give an error or a network that can be inspected
// and written again.
func FuzzDecodeNetwork(f *testing.F) {
	body, err := proto.Marshal(encodeNetwork(seedNetwork()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		var m roadnetpb.Network
		if proto.Unmarshal(body, &m) != nil {
			return
		}
		n, err := decodeNetwork(&m)
		if err != nil {
			return
		}
		var rep Report
		rep.inspect(n)
		again, err := decodeNetwork(encodeNetwork(n))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Roads) != len(n.Roads) {
			t.Fatalf("%d roads became %d", len(n.Roads), len(again.Roads))
		}
	})
}

// Whatever a file holds, importing it gives an error or a network that is sorted and
// can be saved and read back.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"features":[{"properties":{"iu_ac":"1","libelle":"Bd_A","iu_nd_amont":0,"iu_nd_aval":"2"},"geometry":{"type":"LineString","coordinates":[[2,48],[2.1,48]]}}]}`))
	f.Add([]byte("iu_ac;libelle;iu_nd_amont;iu_nd_aval;geo_shape\n1;A;0;1;\"{\"\"type\"\":\"\"LineString\"\",\"\"coordinates\"\":[[2,48],[2.1,48]]}\"\n"))
	f.Add([]byte("2 1 9 8 0\n48 2\n48.1 2.1\n0 1 2 30 400\n"))
	f.Add([]byte(`<osm version="0.6"><node id="1" lat="48" lon="2"/><node id="2" lat="48.1" lon="2"><tag k="barrier" v="bollard"/></node>` +
		`<node id="3" lat="48.1" lon="2.1"><tag k="highway" v="traffic_signals"/></node><way id="4"><nd ref="1"/><nd ref="2"/><nd ref="3"/>` +
		`<tag k="highway" v="primary"/><tag k="maxspeed" v="FR:urban"/><tag k="layer" v="1"/></way>` +
		`<relation id="5"><member type="way" ref="4" role="from"/><member type="way" ref="4" role="to"/><member type="node" ref="3" role="via"/>` +
		`<tag k="type" v="restriction"/><tag k="restriction" v="no_u_turn"/></relation></osm>`))
	var saved bytes.Buffer
	if err := writeSaved(&saved, seedNetwork()); err != nil {
		f.Fatal(err)
	}
	f.Add(saved.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		n, rep, err := read(memoryInput("f", file), Options{})
		if err != nil {
			if n != nil || rep != nil {
				t.Fatal("results beside an error")
			}
			return
		}
		for i := 1; i < len(n.Roads); i++ {
			if n.Roads[i-1].ID >= n.Roads[i].ID {
				t.Fatal("roads are not in order")
			}
		}
		var b bytes.Buffer
		if err := writeSaved(&b, n); err != nil {
			if strings.Contains(err.Error(), "UTF-8") {
				return
			}
			t.Fatal(err)
		}
		back, _, err := read(memoryInput("g", b.Bytes()), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Format != "saved network" && !reflect.DeepEqual(n, back) {
			t.Fatalf("changed on the way through a file:\n%+v\n%+v", n, back)
		}
	})
}
