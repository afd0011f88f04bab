package row

import (
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Pieces collects the rows of a scan and hands them on in pieces, all in the same memory.
type Pieces struct {
	Each  func([]traffic.Reading) error
	piece []traffic.Reading
}

// Add appends the reading that fill fills in, and hands a full piece on.
func (p *Pieces) Add(fill func(*traffic.Reading) error) error {
	p.piece = append(p.piece, traffic.Reading{})
	if err := fill(&p.piece[len(p.piece)-1]); err != nil {
		return err
	}
	if len(p.piece) < store.ScanPiece {
		return nil
	}
	return p.Flush()
}

// Flush hands on what there is.
func (p *Pieces) Flush() error {
	if len(p.piece) == 0 {
		return nil
	}
	err := p.Each(p.piece)
	clear(p.piece) // lets go of the strings
	p.piece = p.piece[:0]
	return err
}
