package replay

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// maxLine is the longest line that is taken: a wide table of 20,000 sensors fits.
const maxLine = 256 << 10

// A guard stands between a file and the CSV reader. It passes whole lines on and
// replaces the unusable ones by empty ones, so that line numbers stay right and a
// stray quote costs its own line only. It bounds what one line may cost in memory.
type guard struct {
	src  *bufio.Reader
	line int
	rest []byte // of the current line, still to be handed out
	err  error
	// bad hears of every line that is left out.
	bad func(line int, head []byte, reason traffic.Reason, detail string)
	// stray hears of a quote that was taken off the header.
	stray func()
}

func newGuard(r io.Reader, bad func(int, []byte, traffic.Reason, string), stray func()) *guard {
	return &guard{src: bufio.NewReaderSize(r, maxLine), bad: bad, stray: stray}
}

// Read hands out at most one line.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		g.rest, g.err = g.next()
		if len(g.rest) == 0 {
			return 0, g.err
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// next returns the next line that may pass; an error may come with the last one.
func (g *guard) next() ([]byte, error) {
	line, err := g.src.ReadSlice('\n')
	g.line++
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		g.bad(g.line, line, traffic.ReasonSize, "the line is longer than 256 KiB")
		return blank(), g.skipLine()
	case bytes.Count(line, []byte{'"'})%2 == 0:
		return line, err
	case g.line == 1 && line[0] == '"':
		g.stray()
		return line[1:], err
	default:
		g.bad(g.line, line, traffic.ReasonParse, "a quote is opened and not closed on this line")
		return blank(), err
	}
}

// skipLine reads up to the end of a line that is too long.
func (g *guard) skipLine() error {
	for {
		_, err := g.src.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func blank() []byte { return []byte{'\n'} }
