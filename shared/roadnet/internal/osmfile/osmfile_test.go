package osmfile_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/paulmach/osm"
	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmfile"
	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmpb"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// block frames a block that is compressed with "zlib", "zstd" or not at all.
func block(t testing.TB, kind, compression string, m proto.Message) []byte {
	t.Helper()
	data := marshal(t, m)
	blob := &osmpb.Blob{RawSize: int32(len(data))}
	switch compression {
	case "zlib":
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write(data)
		w.Close()
		blob.ZlibData = b.Bytes()
	case "zstd":
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		blob.ZstdData = w.EncodeAll(data, nil)
		w.Close()
	default:
		blob.Raw = data
	}
	body := marshal(t, blob)
	head := marshal(t, &osmpb.BlobHeader{Type: kind, Datasize: int32(len(body))})
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head, body)
}

func header(t testing.TB, features ...string) []byte {
	return block(t, "OSMHeader", "", &osmpb.HeaderBlock{RequiredFeatures: append(features, "OsmSchema-V0.6")})
}

// content is a block with two dense nodes, a plain one, a way and a relation.
func content(t testing.TB) *osmpb.PrimitiveBlock {
	return &osmpb.PrimitiveBlock{
		Stringtable: &osmpb.StringTable{S: [][]byte{nil, []byte("highway"), []byte("primary"), []byte("via")}},
		Primitivegroup: []*osmpb.PrimitiveGroup{
			{Dense: marshal(t, &osmpb.DenseNodes{
				Id: []int64{10, 5}, Lat: []int64{480000000, 10}, Lon: []int64{20000000, -20}, KeysVals: []int32{1, 2, 0, 0},
			})},
			{Nodes: [][]byte{marshal(t, &osmpb.Node{Id: 7, Lat: -1, Lon: 1})}},
			{Ways: [][]byte{marshal(t, &osmpb.Way{Id: 3, Keys: []uint32{1}, Vals: []uint32{2}, Refs: []int64{10, 5, -8}})}},
			{Relations: [][]byte{marshal(t, &osmpb.Relation{
				Id: 4, RolesSid: []int32{3, 0}, Memids: []int64{10, -7}, Types: []int32{0, 1},
			})}},
		},
	}
}

// scan lists what a file holds.
func scan(f osmfile.Format, file []byte) (string, error) {
	var b strings.Builder
	tags := func(ts osm.Tags) (s string) {
		for _, t := range ts {
			s += fmt.Sprintf(" %s=%s", t.Key, t.Value)
		}
		return s
	}
	err := osmfile.Scan(context.Background(), f, bytes.NewReader(file), osmfile.Visitor{
		Node: func(n *osm.Node) { fmt.Fprintf(&b, "node %d %.7f %.7f%s\n", n.ID, n.Lat, n.Lon, tags(n.Tags)) },
		Way: func(w *osm.Way) {
			fmt.Fprintf(&b, "way %d", w.ID)
			for _, n := range w.Nodes {
				fmt.Fprintf(&b, " %d", n.ID)
			}
			b.WriteString(tags(w.Tags) + "\n")
		},
		Relation: func(r *osm.Relation) {
			fmt.Fprintf(&b, "relation %d", r.ID)
			for _, m := range r.Members {
				fmt.Fprintf(&b, " %s %d %q", m.Type, m.Ref, m.Role)
			}
			b.WriteString(tags(r.Tags) + "\n")
		},
	})
	return b.String(), err
}

const wantContent = `node 10 48.0000000 2.0000000 highway=primary
node 15 48.0000010 1.9999980
node 7 -0.0000001 0.0000001
way 3 10 15 7 highway=primary
relation 4 node 10 "via" way 3 ""
`

func TestScanPBF(t *testing.T) {
	for _, compression := range []string{"zlib", "zstd", "none"} {
		file := slices.Concat(header(t, "DenseNodes"), block(t, "SomethingNew", "zlib", &osmpb.HeaderBlock{}), block(t, "OSMData", compression, content(t)))
		if f := osmfile.Detect(file); f != osmfile.PBF {
			t.Errorf("detected %v", f)
		}
		got, err := scan(osmfile.PBF, file)
		if err != nil || got != wantContent {
			t.Errorf("%s: %v, got\n%s", compression, err, got)
		}
		for cut := range len(file) {
			if _, err := scan(osmfile.PBF, file[:cut]); err == nil && cut != len(header(t, "DenseNodes")) && cut < len(file)-len(block(t, "OSMData", compression, content(t))) {
				t.Errorf("%s: cut at %d: no error", compression, cut)
			}
		}
	}
}

func TestScanXMLGivesTheSame(t *testing.T) {
	const text = `<osm version="0.6"><bounds minlat="1"/>
<node id="10" lat="48" lon="2"><tag k="highway" v="primary"/></node><node id="15" lat="48.000001" lon="1.999998"/><node id="7" lat="-0.0000001" lon="0.0000001"/>
<way id="3"><nd ref="10"/><nd ref="15"/><nd ref="7"/><tag k="highway" v="primary"/></way>
<relation id="4"><member type="node" ref="10" role="via"/><member type="way" ref="3" role=""/></relation></osm>`
	if f := osmfile.Detect([]byte(text)); f != osmfile.XML {
		t.Errorf("detected %v", f)
	}
	got, err := scan(osmfile.XML, []byte(text))
	if err != nil || got != wantContent {
		t.Errorf("%v, got\n%s", err, got)
	}
	for cut := range len(text) {
		if _, err := scan(osmfile.XML, []byte(text[:cut])); err == nil && cut > 0 {
			t.Errorf("cut at %d: no error", cut)
		}
	}
}

func TestScanRefusesBadBlocks(t *testing.T) {
	change := func(f func(*osmpb.PrimitiveBlock)) []byte {
		b := content(t)
		f(b)
		return slices.Concat(header(t), block(t, "OSMData", "zlib", b))
	}
	for want, file := range map[string][]byte{
		`needs "HistoricalInformation"`: header(t, "HistoricalInformation"),
		"want OSMHeader":                block(t, "OSMData", "zlib", content(t)),
		"want 1 to 65536":               {0xff, 0xff, 0xff, 0xff},
		"text 9 of 4": change(func(b *osmpb.PrimitiveBlock) {
			b.Primitivegroup[2].Ways[0] = marshal(t, &osmpb.Way{Keys: []uint32{9}, Vals: []uint32{1}})
		}),
		"way: columns": change(func(b *osmpb.PrimitiveBlock) {
			b.Primitivegroup[2].Ways[0] = marshal(t, &osmpb.Way{Keys: []uint32{1}})
		}),
		"nodes: columns": change(func(b *osmpb.PrimitiveBlock) {
			b.Primitivegroup[0].Dense = marshal(t, &osmpb.DenseNodes{Id: []int64{1}})
		}),
		"relation: columns": change(func(b *osmpb.PrimitiveBlock) {
			b.Primitivegroup[3].Relations[0] = marshal(t, &osmpb.Relation{Memids: []int64{1}})
		}),
		"text -1": change(func(b *osmpb.PrimitiveBlock) {
			b.Primitivegroup[0].Dense = marshal(t, &osmpb.DenseNodes{Id: []int64{1}, Lat: []int64{1}, Lon: []int64{1}, KeysVals: []int32{-1, 1, 0}})
		}),
	} {
		if _, err := scan(osmfile.PBF, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	bomb := marshal(t, &osmpb.Blob{RawSize: 10, ZlibData: func() []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write(make([]byte, 1<<20))
		w.Close()
		return b.Bytes()
	}()})
	head := marshal(t, &osmpb.BlobHeader{Type: "OSMHeader", Datasize: int32(len(bomb))})
	file := slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(head))), head, bomb)
	if _, err := scan(osmfile.PBF, file); err == nil || !strings.Contains(err.Error(), "has not the 10 bytes") {
		t.Errorf("a block that is larger than it says: %v", err)
	}
}

func TestDetect(t *testing.T) {
	for text, want := range map[string]osmfile.Format{
		"": osmfile.NotOSM, "<gpx>": osmfile.NotOSM, "a <osm ": osmfile.NotOSM,
		"<?xml version='1.0'?>\n<!-- x -->\n<osm version='0.6'>": osmfile.XML, "\n<osm>": osmfile.XML,
		"<?xml version='1.0'?><osmChange version='0.6'>": osmfile.Change,
		"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\x7c":      osmfile.PBF,
	} {
		if got := osmfile.Detect([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// Whatever a file holds, reading it ends with or without an error.
func FuzzScanPBF(f *testing.F) {
	f.Add(slices.Concat(header(f), block(f, "OSMData", "none", content(f))))
	f.Add(slices.Concat(header(f), block(f, "OSMData", "zlib", content(f))))
	f.Fuzz(func(t *testing.T, file []byte) { scan(osmfile.PBF, file) })
}
