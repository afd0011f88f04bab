package store_test

import (
	"errors"
	"testing"

	"github.com/2zrhun/city-flow/shared/store"
)

func TestCursorRoundTrip(t *testing.T) {
	c, err := store.MakeCursor("PARIS-4264", int64(1<<62+1), 30)
	if err != nil {
		t.Fatal(err)
	}
	var (
		road    string
		at      int64
		horizon int
	)
	if err := c.Parse(&road, &at, &horizon); err != nil || road != "PARIS-4264" || at != 1<<62+1 || horizon != 30 {
		t.Errorf("%q %d %d %v", road, at, horizon, err)
	}
	if err := c.Parse(&road); !errors.Is(err, store.ErrCursor) {
		t.Errorf("a cursor of another list: %v", err)
	}
	if err := c.Parse(&at, &road, &horizon); !errors.Is(err, store.ErrCursor) {
		t.Errorf("parts of another kind: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("WyJhIiwxXQ")
	f.Fuzz(func(t *testing.T, s string) {
		var (
			road string
			at   int64
		)
		if err := store.Cursor(s).Parse(&road, &at); err != nil && !errors.Is(err, store.ErrCursor) {
			t.Errorf("error %v is not ErrCursor", err)
		}
	})
}
