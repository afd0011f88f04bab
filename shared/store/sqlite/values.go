package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// optional is NULL for an absent quantity.
func optional(v traffic.Value) any {
	if f, ok := v.Get(); ok {
		return f
	}
	return nil
}

// value reads a quantity that may be NULL.
type value traffic.Value

// Scan is called by database/sql.
func (v *value) Scan(src any) error {
	switch x := src.(type) {
	case nil:
		*v = value{}
	case float64:
		*v = value(traffic.Some(x))
	default:
		return fmt.Errorf("want a number, got %T", src)
	}
	return nil
}

// list is the JSON array of names that json_each takes, or nil for "all".
func list[S ~string](ids []S) (any, error) {
	if ids == nil {
		return nil, nil
	}
	b, err := json.Marshal(row.IDs(ids))
	return string(b), err
}
