package row

import (
	"strings"

	"github.com/2zrhun/city-flow/shared/store"
)

// JoinScopes writes the scopes of a key as one text.
func JoinScopes(scopes []store.Scope) string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = Text(s)
	}
	return strings.Join(words, ",")
}

// SplitScopes reads what JoinScopes wrote.
func SplitScopes(text string) []store.Scope {
	out := []store.Scope{}
	for w := range strings.SplitSeq(text, ",") {
		if w != "" {
			out = append(out, store.Scope(w))
		}
	}
	return out
}
