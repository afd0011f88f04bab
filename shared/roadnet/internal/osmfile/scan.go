package osmfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paulmach/osm"
	"github.com/paulmach/osm/osmxml"
)

// A Visitor receives the objects of a file in the file's order. A nil function skips
// objects of its kind. Objects belong to the receiver for the length of the call.
type Visitor struct {
	Node     func(*osm.Node)
	Way      func(*osm.Way)
	Relation func(*osm.Relation)
}

// Format is how an extract is written.
type Format int

// The formats; NotOSM is anything else.
const (
	NotOSM Format = iota
	XML
	PBF
	// Change is a file of changes to an extract (.osc), which holds no map.
	Change
)

// DetectBytes is how much of the beginning of a file Detect wants to see.
const DetectBytes = 4 << 10

// Detect tells the format by the beginning of a file.
func Detect(head []byte) Format {
	if len(head) >= 15 && bytes.Contains(head[:min(len(head), 64)], []byte(headerBlock)) && head[0] == 0 {
		return PBF
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	if !bytes.HasPrefix(text, []byte("<")) {
		return NotOSM
	}
	switch {
	case bytes.Contains(text, []byte("<osmChange")):
		return Change
	case bytes.Contains(text, []byte("<osm ")), bytes.Contains(text, []byte("<osm>")), bytes.Contains(text, []byte("<osm/>")):
		return XML
	}
	return NotOSM
}

// Scan reads a file of this format to its end. The error says where it is damaged.
func Scan(ctx context.Context, f Format, r io.Reader, v Visitor) error {
	switch f {
	case XML:
		return scanXML(ctx, r, v)
	case PBF:
		return scanPBF(ctx, r, v)
	default:
		return errors.New("not an OpenStreetMap extract")
	}
}

func scanXML(ctx context.Context, r io.Reader, v Visitor) error {
	s := osmxml.New(ctx, r)
	defer s.Close() //nolint:errcheck // always nil
	for s.Scan() {
		switch o := s.Object().(type) {
		case *osm.Node:
			if v.Node != nil {
				v.Node(o)
			}
		case *osm.Way:
			if v.Way != nil {
				v.Way(o)
			}
		case *osm.Relation:
			if v.Relation != nil {
				v.Relation(o)
			}
		}
	}
	return s.Err()
}

// scanPBF reads block by block.
func scanPBF(ctx context.Context, r io.Reader, v Visitor) error {
	in := &blockReader{r: r}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := in.read
		kind, data, err := in.next()
		if errors.Is(err, io.EOF) && in.blocks > 0 {
			return nil
		}
		if err == nil {
			err = decodeBlock(kind, data, in.blocks == 1, v)
		}
		if err != nil {
			return fmt.Errorf("block %d (byte %d): %w", in.blocks, at, noEOF(err))
		}
	}
}

// noEOF makes an end of file in the middle of something look like what it is.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
