package roadnet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Import reads a road network from a file, compressed with gzip or not, and finds out
// by its content what it is:
//
//   - the reference of the permanent traffic counters of Paris
//     ("referentiel-comptages-routiers") as GeoJSON or as CSV with semicolons and
//     French or API column names,
//   - a file written by Save.
//
// What cannot be used is left out and listed in the report, with what is only
// unusual. The error names the file, the line or feature, and what to do, when the
// file cannot be read to its end or nothing of it can be used; both results are nil
// then. A cancelled ctx ends the import with its error.
func Import(ctx context.Context, path string) (*Network, *Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read road network: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	n, rep, err := read(ctx, filepath.Base(path), f)
	if err != nil {
		return nil, nil, fmt.Errorf("read road network: %w", err)
	}
	return n, rep, nil
}

// read imports from r; name stands for the file in what is reported.
func read(ctx context.Context, name string, r io.Reader) (*Network, *Report, error) {
	in := bufio.NewReaderSize(&contextReader{ctx, r}, 64<<10)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		gz, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: not a whole gzip file: %w", name, err)
		}
		in = bufio.NewReaderSize(gz, 64<<10)
	}
	if err := skipBOM(in); err != nil {
		return nil, nil, damaged(name, err)
	}
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, nil, damaged(name, err)
	}
	switch detect(head) {
	case formatSaved:
		return readSaved(name, in)
	case formatGeoJSON:
		return importParis(name, "Paris reference (GeoJSON)", geoJSONParts(name, in))
	case formatCSV:
		return importParis(name, "Paris reference (CSV)", csvParts(name, in))
	default:
		return nil, nil, fmt.Errorf("%s: %w", name, unknownFormat(head))
	}
}

// damaged is the error of a file that ends too early or does not decompress.
func damaged(where string, err error) error {
	return fmt.Errorf("%s: the file is damaged or was cut short, get it again: %w", where, err)
}

type format int

const (
	formatUnknown format = iota
	formatSaved
	formatGeoJSON
	formatCSV
)

func detect(head []byte) format {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte(savedMagic)):
		return formatSaved
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		return formatGeoJSON
	case bytes.Count(first, []byte(";")) >= 3:
		return formatCSV
	default:
		return formatUnknown
	}
}

func unknownFormat(head []byte) error {
	const want = `want the Paris reference "referentiel-comptages-routiers" as GeoJSON or as CSV with semicolons, or a network that CityFlow saved`
	text := strings.TrimSpace(string(head[:min(len(head), 40)]))
	switch {
	case len(head) == 0:
		return errors.New("the file is empty: " + want)
	case strings.HasPrefix(text, "<?xml"), strings.HasPrefix(text, "<osm"), bytes.Contains(head[:min(len(head), 40)], []byte("OSMHeader")):
		return errors.New("this is an OpenStreetMap extract, which cannot be imported yet: " + want)
	default:
		return fmt.Errorf("unknown format, the file begins with %q: %s", text, want)
	}
}

func skipBOM(in *bufio.Reader) error {
	head, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return err
	}
	if bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, err = in.Discard(3)
		return err
	}
	return nil
}

// A contextReader fails when its context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
