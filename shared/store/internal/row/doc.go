// Package row is what the database backends agree on before a value becomes a row
// and after it was one: text that every database takes, times as whole
// microseconds, half-open bounds, the end of a page, and the order and
// de-duplication of a batch.
//
// It knows no SQL and imports no driver. Only the backends below shared/store and
// their test suite use it.
package row
