package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A Cursor marks the place in a list after which the next part begins. It is
// opaque to everybody but the store that issued it.
type Cursor string

// MakeCursor encodes the key of the last item of a part. Backends call it.
func MakeCursor(key ...any) (Cursor, error) {
	b, err := json.Marshal(key)
	if err != nil {
		return "", fmt.Errorf("encode cursor: %w", err)
	}
	return Cursor(base64.RawURLEncoding.EncodeToString(b)), nil
}

// Parse decodes the cursor into pointers to the parts of its key, in order.
// ErrCursor when it was not made from such parts.
func (c Cursor) Parse(key ...any) error {
	b, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCursor, err)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("%w: %w", ErrCursor, err)
	}
	if len(parts) != len(key) {
		return fmt.Errorf("%w: %d parts, want %d", ErrCursor, len(parts), len(key))
	}
	for i, p := range parts {
		if err := json.Unmarshal(p, key[i]); err != nil {
			return fmt.Errorf("%w: part %d: %w", ErrCursor, i, err)
		}
	}
	return nil
}
