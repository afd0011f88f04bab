package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jszwec/csvutil"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// A Format is how rows are written.
type Format string

// The formats.
const (
	// CSV has a header line, commas and a line feed after each row (RFC 4180).
	CSV Format = "csv"
	// NDJSON is one JSON object a line. That of readings is what sensors send too.
	NDJSON Format = "ndjson"
	// GeoJSON is one FeatureCollection (RFC 7946): a row's columns are the properties of
	// its feature, whose geometry is the place of the road, or null.
	GeoJSON Format = "geojson"
	// Parquet is compressed with zstd.
	Parquet Format = "parquet"
)

// Formats lists them.
func Formats() []Format { return []Format{CSV, NDJSON, GeoJSON, Parquet} }

// ParseFormat returns the format of a name, or an error that lists those that exist.
func ParseFormat(name string) (Format, error) {
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("format: %q is not allowed: want one of %s", name, strings.Trim(fmt.Sprint(Formats()), "[]"))
}

// ContentType is the format's media type.
func (f Format) ContentType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case NDJSON:
		return "application/x-ndjson"
	case GeoJSON:
		return "application/geo+json"
	default:
		return "application/vnd.apache.parquet"
	}
}

// rowGroup is how many rows of a Parquet file are collected in memory and compressed
// together.
const rowGroup = 20_000

// pageBuffer is how many bytes of a column become one page.
const pageBuffer = 64 << 10

// A table takes rows of one kind.
type table[T any] interface {
	write(rows []T) error
	// close writes what is left and the end of the file.
	close() error
}

func newTable[T located](w io.Writer, f Format, places Places) (table[T], error) {
	switch f {
	case CSV:
		c := csv.NewWriter(w)
		enc := csvutil.NewEncoder(c)
		if err := enc.EncodeHeader(*new(T)); err != nil { // also of a table without rows
			return nil, fmt.Errorf("write CSV: %w", err)
		}
		return &csvTable[T]{c, enc}, nil
	case NDJSON:
		buffered := bufio.NewWriterSize(w, 64<<10)
		return ndjsonTable[T]{buffered, json.NewEncoder(buffered)}, nil
	case GeoJSON:
		return newGeoJSON[T](w, places), nil
	case Parquet:
		return parquetTable[T]{parquet.NewGenericWriter[T](w, parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
			parquet.MaxRowsPerRowGroup(rowGroup), parquet.PageBufferSize(pageBuffer), parquet.WriteBufferSize(pageBuffer))}, nil
	}
	_, err := ParseFormat(string(f))
	return nil, err
}

type csvTable[T any] struct {
	w   *csv.Writer
	enc *csvutil.Encoder
}

func (t *csvTable[T]) write(rows []T) error {
	if err := t.enc.Encode(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return t.close()
}

func (t *csvTable[T]) close() error {
	t.w.Flush()
	if err := t.w.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

type ndjsonTable[T any] struct {
	w   *bufio.Writer
	enc *json.Encoder
}

func (t ndjsonTable[T]) write(rows []T) error {
	for i := range rows {
		if err := t.enc.Encode(&rows[i]); err != nil {
			return fmt.Errorf("write NDJSON: %w", err)
		}
	}
	return t.close()
}

func (t ndjsonTable[T]) close() error {
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write NDJSON: %w", err)
	}
	return nil
}

type parquetTable[T any] struct{ w *parquet.GenericWriter[T] }

func (t parquetTable[T]) write(rows []T) error {
	if _, err := t.w.Write(rows); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (t parquetTable[T]) close() error {
	if err := t.w.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}
