package roadnet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/roadnetpb"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// encodeExtras writes what version 2 of the file added. Turns whose roads are not in
// the network are not written.
func encodeExtras(m *roadnetpb.Network, n *Network, nodes map[traffic.NodeID]uint32) {
	for _, t := range n.Forbidden {
		from, okFrom := n.Find(t.From)
		to, okTo := n.Find(t.To)
		if okFrom && okTo {
			m.TurnFrom = append(m.TurnFrom, uint32(from))
			m.TurnTo = append(m.TurnTo, uint32(to))
		}
	}
	for _, id := range n.Signals {
		if i := nodes[id]; i > 0 {
			m.Signals = append(m.Signals, i-1)
		}
	}
	if len(n.Layers) > 0 {
		m.RoadLayer = make([]int32, len(n.Roads))
		for i := range n.Roads {
			m.RoadLayer[i] = int32(n.Layers[n.Roads[i].ID])
		}
	}
	if s := n.Source; s != (Source{}) {
		m.Source = &roadnetpb.Source{
			Format: s.Format, File: s.File, Sha256: s.SHA256, Bytes: s.Bytes, Licence: s.Licence, Country: s.Country,
		}
	}
}

func decodeExtras(m *roadnetpb.Network, n *Network) error {
	for i := range m.TurnFrom {
		from, to := m.TurnFrom[i], m.TurnTo[i]
		if max(from, to) >= uint32(len(n.Roads)) {
			return errors.New("a turn names a road outside its table")
		}
		n.Forbidden = append(n.Forbidden, Turn{n.Roads[from].ID, n.Roads[to].ID})
	}
	if !slices.IsSortedFunc(n.Forbidden, compareTurns) {
		return errors.New("turns are not in order")
	}
	for i, node := range m.Signals {
		if node >= uint32(len(m.NodeIds)) || i > 0 && node <= m.Signals[i-1] {
			return errors.New("a signal is outside its table or out of order")
		}
		n.Signals = append(n.Signals, traffic.NodeID(m.NodeIds[node]))
	}
	for i, layer := range m.RoadLayer {
		switch {
		case layer < -128 || layer > 127:
			return fmt.Errorf("road %d: layer %d: want -128 to 127", i, layer)
		case layer != 0 && n.Layers == nil:
			n.Layers = make(map[traffic.RoadID]int8)
		}
		if layer != 0 {
			n.Layers[n.Roads[i].ID] = int8(layer)
		}
	}
	if s := m.Source; s != nil {
		n.Source = Source{Format: s.Format, File: s.File, SHA256: s.Sha256, Bytes: s.Bytes, Licence: s.Licence, Country: s.Country}
	}
	return nil
}
