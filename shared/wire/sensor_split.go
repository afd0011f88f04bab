package wire

import "bytes"

// A splitter cuts the elements out of a JSON array without judging them. It knows
// brackets and strings only, so it finds the end of an element that is not valid
// JSON inside.
type splitter struct {
	// rest is what follows the opening bracket, or the last element returned.
	rest []byte
	// begun says that an element was returned, ended that the bracket was closed.
	begun, ended bool
	// err says why the array ended early.
	err string
}

// next returns the next element without the space around it, and false at the end.
func (s *splitter) next() ([]byte, bool) {
	s.rest = trimSpace(s.rest)
	if !s.begun && len(s.rest) > 0 && s.rest[0] == ']' {
		s.end(s.rest[1:])
		return nil, false
	}
	if s.ended || s.err != "" {
		return nil, false
	}
	n := elementEnd(s.rest)
	if n < 0 {
		s.err = "the array is cut off"
		return nil, false
	}
	element, closer, after := trimSpace(s.rest[:n]), s.rest[n], s.rest[n+1:]
	s.begun = true
	if closer == ']' {
		s.end(after)
	} else {
		s.rest = after
	}
	return element, true
}

// end looks at what follows the closing bracket.
func (s *splitter) end(after []byte) {
	s.rest, s.ended = trimSpace(after), true
	if len(s.rest) > 0 {
		s.err = "there is something after the array"
	}
}

// elementEnd is the index of the comma or closing bracket that ends the element at
// the beginning of p; -1 when there is none.
func elementEnd(p []byte) int {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			n := stringEnd(p[i+1:])
			if n < 0 {
				return -1
			}
			i += n
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				if p[i] == ']' {
					return i
				}
				continue
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// stringEnd is how many bytes a string takes whose opening quote is just before p,
// the closing quote included; -1 when it is not closed.
func stringEnd(p []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return -1
		}
		i += n + 1
		if !escaped(p[:i-1]) {
			return i
		}
	}
}

// escaped says whether an odd number of backslashes precedes the end of p.
func escaped(p []byte) bool {
	n := 0
	for n < len(p) && p[len(p)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
