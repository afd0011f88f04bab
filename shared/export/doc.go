// Package export writes what is stored as files that other programs read: CSV, NDJSON,
// GeoJSON and Parquet.
//
// It promises that a window has the same rows in every format, in the same order and
// with the same names; that values come out as they were stored, absent ones as empty
// cells, missing fields or nulls, never as 0; and that an export of years takes as much
// memory as one of a day. ReadParquet reads back what Readings wrote.
//
// It does not know where the bytes go: the command line writes files, the API
// answers requests.
package export
