package osmfile

import (
	"errors"
	"fmt"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmpb"
)

var errColumns = errors.New("columns have not the same length")

// decodeBlock visits what one block holds.
func decodeBlock(kind string, data []byte, first bool, v Visitor) error {
	switch {
	case kind == headerBlock:
		var h osmpb.HeaderBlock
		if err := unmarshal(data, &h); err != nil {
			return err
		}
		return checkFeatures(h.RequiredFeatures)
	case first:
		return fmt.Errorf("the first block is %q: want %s", kind, headerBlock)
	case kind != dataBlock:
		return nil // the format says: skip what you do not know
	}
	var b osmpb.PrimitiveBlock
	if err := unmarshal(data, &b); err != nil {
		return err
	}
	d := &decoder{texts: b.GetStringtable().GetS(), unit: 100, lat: b.LatOffset, lon: b.LonOffset, v: v}
	if b.Granularity != nil {
		d.unit = int64(*b.Granularity)
	}
	for _, g := range b.Primitivegroup {
		if err := d.group(g); err != nil {
			return err
		}
	}
	return nil
}

func checkFeatures(required []string) error {
	for _, f := range required {
		switch f {
		case "OsmSchema-V0.6", "DenseNodes":
		default:
			return fmt.Errorf("the file needs %q, which is not supported: want a plain extract", f)
		}
	}
	return nil
}

// A decoder turns the messages of one block into objects.
type decoder struct {
	texts          [][]byte
	unit, lat, lon int64 // nanodegrees
	v              Visitor
}

func (d *decoder) group(g *osmpb.PrimitiveGroup) error {
	if d.v.Node != nil {
		if err := d.nodes(g); err != nil {
			return fmt.Errorf("nodes: %w", err)
		}
	}
	if d.v.Way != nil {
		for _, data := range g.Ways {
			if err := d.way(data); err != nil {
				return fmt.Errorf("way: %w", err)
			}
		}
	}
	if d.v.Relation != nil {
		for _, data := range g.Relations {
			if err := d.relation(data); err != nil {
				return fmt.Errorf("relation: %w", err)
			}
		}
	}
	return nil
}

func (d *decoder) nodes(g *osmpb.PrimitiveGroup) error {
	for _, data := range g.Nodes {
		var n osmpb.Node
		if err := unmarshal(data, &n); err != nil {
			return err
		}
		tags, err := d.tags(n.Keys, n.Vals)
		if err != nil {
			return err
		}
		d.node(n.Id, n.Lat, n.Lon, tags)
	}
	if g.Dense == nil {
		return nil
	}
	var dense osmpb.DenseNodes
	if err := unmarshal(g.Dense, &dense); err != nil {
		return err
	}
	return d.dense(&dense)
}

func (d *decoder) node(id, lat, lon int64, tags osm.Tags) {
	d.v.Node(&osm.Node{
		ID: osm.NodeID(id), Tags: tags,
		Lat: 1e-9 * float64(d.lat+d.unit*lat), Lon: 1e-9 * float64(d.lon+d.unit*lon),
	})
}

func (d *decoder) dense(m *osmpb.DenseNodes) error {
	if len(m.Lat) != len(m.Id) || len(m.Lon) != len(m.Id) {
		return errColumns
	}
	var id, lat, lon int64
	rest := m.KeysVals
	for i := range m.Id {
		id, lat, lon = id+m.Id[i], lat+m.Lat[i], lon+m.Lon[i]
		var tags osm.Tags
		for len(rest) > 0 && rest[0] != 0 {
			if len(rest) < 2 {
				return errColumns
			}
			t, err := d.tag(int64(rest[0]), int64(rest[1]))
			if err != nil {
				return err
			}
			tags, rest = append(tags, t), rest[2:]
		}
		if len(rest) > 0 {
			rest = rest[1:] // the 0 that ends a node's tags
		}
		d.node(id, lat, lon, tags)
	}
	return nil
}

func (d *decoder) way(data []byte) error {
	var m osmpb.Way
	if err := unmarshal(data, &m); err != nil {
		return err
	}
	tags, err := d.tags(m.Keys, m.Vals)
	if err != nil {
		return err
	}
	w := &osm.Way{ID: osm.WayID(m.Id), Tags: tags, Nodes: make(osm.WayNodes, len(m.Refs))}
	var ref int64
	for i, delta := range m.Refs {
		ref += delta
		w.Nodes[i].ID = osm.NodeID(ref)
	}
	d.v.Way(w)
	return nil
}

func (d *decoder) relation(data []byte) error {
	var m osmpb.Relation
	if err := unmarshal(data, &m); err != nil {
		return err
	}
	tags, err := d.tags(m.Keys, m.Vals)
	if err != nil {
		return err
	}
	if len(m.RolesSid) != len(m.Memids) || len(m.Types) != len(m.Memids) {
		return errColumns
	}
	r := &osm.Relation{ID: osm.RelationID(m.Id), Tags: tags, Members: make(osm.Members, len(m.Memids))}
	var ref int64
	for i, delta := range m.Memids {
		ref += delta
		role, err := d.text(int64(m.RolesSid[i]))
		if err != nil {
			return err
		}
		r.Members[i] = osm.Member{Ref: ref, Role: role, Type: memberType(m.Types[i])}
	}
	d.v.Relation(r)
	return nil
}

func memberType(t int32) osm.Type {
	switch t {
	case 0:
		return osm.TypeNode
	case 1:
		return osm.TypeWay
	default:
		return osm.TypeRelation
	}
}

func (d *decoder) tags(keys, vals []uint32) (osm.Tags, error) {
	if len(keys) != len(vals) {
		return nil, errColumns
	}
	tags := make(osm.Tags, len(keys))
	for i := range keys {
		t, err := d.tag(int64(keys[i]), int64(vals[i]))
		if err != nil {
			return nil, err
		}
		tags[i] = t
	}
	return tags, nil
}

func (d *decoder) tag(key, val int64) (t osm.Tag, err error) {
	if t.Key, err = d.text(key); err != nil {
		return t, err
	}
	t.Value, err = d.text(val)
	return t, err
}

func (d *decoder) text(i int64) (string, error) {
	if i < 0 || i >= int64(len(d.texts)) {
		return "", fmt.Errorf("text %d of %d: an index is outside its table", i, len(d.texts))
	}
	return string(d.texts[i]), nil
}
