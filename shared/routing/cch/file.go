package cch

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/2zrhun/city-flow/shared/routing"
)

// The file of an order, all numbers little-endian:
//
//	8 bytes   magic, with the format's version
//	32 bytes  SHA-256 of the graph: nodes, edges, the ends of each edge, 4 bytes each
//	4 bytes   number of nodes
//	4 bytes   node, for each rank
//	32 bytes  SHA-256 of all before
const magic = "CFORDER1"

// Errors of Load.
var (
	// ErrOtherGraph says that an order belongs to another graph: find a new one.
	ErrOtherGraph = errors.New("the order belongs to another graph")
	// ErrBroken says that a file is none of Save or was damaged.
	ErrBroken = errors.New("not the file of an order, or damaged")
)

// Save writes the order of the hierarchy: 4 bytes a node.
func (h *Hierarchy) Save(w io.Writer) error {
	b := make([]byte, 0, len(magic)+4*len(h.order)+68)
	b = append(b, magic...)
	b = append(b, hashGraph(h.g)...)
	b = appendNumber(b, int32(len(h.order)))
	for _, n := range h.order {
		b = appendNumber(b, n)
	}
	sum := sha256.Sum256(b)
	if _, err := w.Write(append(b, sum[:]...)); err != nil {
		return fmt.Errorf("save order: %w", err)
	}
	return nil
}

// Load makes a hierarchy of g from an order that Save wrote. It reads r to its end.
func Load(g *routing.Graph, r io.Reader) (*Hierarchy, error) {
	const head, foot = len(magic) + sha256.Size + 4, sha256.Size
	most := int64(head + foot + 4*g.Nodes())
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("load order: %w", err)
	}
	if len(b) < head+foot || string(b[:len(magic)]) != magic {
		return nil, fmt.Errorf("load order of %d bytes: %w", len(b), ErrBroken)
	}
	if !bytes.Equal(b[len(magic):len(magic)+sha256.Size], hashGraph(g)) {
		return nil, fmt.Errorf("load order: %w", ErrOtherGraph)
	}
	body := b[:len(b)-foot]
	if sum := sha256.Sum256(body); int64(len(b)) != most || !bytes.Equal(sum[:], b[len(b)-foot:]) {
		return nil, fmt.Errorf("load order of %d bytes for %d nodes: %w", len(b), g.Nodes(), ErrBroken)
	}
	order := make([]int32, g.Nodes())
	for i := range order {
		order[i] = int32(binary.LittleEndian.Uint32(body[head+4*i:]))
	}
	return New(g, order)
}

func hashGraph(g *routing.Graph) []byte {
	b := make([]byte, 0, 8+8*g.Edges())
	b = appendNumber(b, int32(g.Nodes()))
	b = appendNumber(b, int32(g.Edges()))
	for e := range int32(g.Edges()) {
		b = appendNumber(appendNumber(b, g.From(e)), g.To(e))
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func appendNumber(b []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }
