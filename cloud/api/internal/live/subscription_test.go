package live

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a client sends, it is a valid subscription or an error that fits into a
// close frame.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		`{"type":"subscribe"}`, `{"type":"subscribe","bbox":[2,48,3,49],"roads":["a"],"channels":["reroutes"],"horizons":[15,60],"seq":7}`,
		`{"type":"subscribe","bbox":null,"roads":null,"channels":[],"horizons":[],"seq":null}`, `{"type":"subscribe","seq":-1}`,
		`{"type":"subscribe","bbox":[1e308,-1e308,0,0]}`, `{"type":"subscribe","horizons":[30.5]}`, "null", "[]", "{", "\xff", `{"type":"subscribe"}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseRequest(text)
		if err != nil {
			var bad *InputError
			if !errors.As(err, &bad) {
				t.Fatalf("%q: %v", text, err)
			}
			if r := reason(err); len(r) > 123 || !utf8.ValidString(r) || r == "" {
				t.Fatalf("%q: reason %q", text, r)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatalf("%q was taken: %v", text, err)
		}
	})
}

func TestReasonIsCutBetweenCharacters(t *testing.T) {
	r := reason(errors.New(strings.Repeat("é", 100)))
	if len(r) > 123 || len(r) < 120 || !utf8.ValidString(r) {
		t.Errorf("%d bytes: %q", len(r), r)
	}
}
