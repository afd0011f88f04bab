package roadnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmfile"
)

// Options say how to import. The zero Options are good.
type Options struct {
	// Country is the ISO 3166-1 code of the country whose general speed limits hold
	// where the map says none; empty: the one that the map itself names most.
	Country string
	// Progress, where not nil, is called with the number of bytes of the file that
	// were done since the last call. A file that is read twice counts half each time.
	Progress func(bytes int64)
}

// Import reads a road network from a file, compressed with gzip or bzip2 or not, and
// finds out by its content what it is:
//
//   - the reference of the permanent traffic counters of Paris
//     ("referentiel-comptages-routiers") as GeoJSON or as CSV with semicolons and
//     French or API column names,
//   - an OpenStreetMap extract as XML (.osm) or PBF (.osm.pbf),
//   - the street graph of Paris as text (paris_54000.txt), or as streets.csv with
//     nodes.csv beside it,
//   - a file written by Save.
//
// What cannot be used is left out and listed in the report, with what is only
// unusual. The error names the file, the line or feature, and what to do, when the
// file cannot be read to its end or nothing of it can be used; both results are nil
// then. A cancelled ctx ends the import with its error.
func Import(ctx context.Context, path string) (*Network, *Report, error) {
	return ImportWith(ctx, path, Options{})
}

// ImportWith is Import with options.
func ImportWith(ctx context.Context, path string, opts Options) (*Network, *Report, error) {
	in := openInput(ctx, path, opts)
	n, rep, err := read(in, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("read road network: %w", err)
	}
	if rep.Format != formatSavedName || n.Source == (Source{}) {
		s := &n.Source
		if s.Bytes, s.SHA256, err = in.sum(); err != nil {
			return nil, nil, fmt.Errorf("read road network: %w", err)
		}
		s.Format, s.File = rep.Format, in.name
	}
	rep.Source = n.Source
	return n, rep, nil
}

// read imports without noting the source.
func read(in *input, opts Options) (*Network, *Report, error) {
	head, err := in.peek(osmfile.DetectBytes)
	if err != nil {
		return nil, nil, err
	}
	f := detect(head)
	switch f {
	case formatOSMXML:
		in.passes = 2
		return importOSM(in, osmfile.XML, opts)
	case formatOSMPBF:
		in.passes = 2
		return importOSM(in, osmfile.PBF, opts)
	case formatUnknown:
		return nil, nil, fmt.Errorf("%s: %w", in.name, unknownFormat(head))
	default:
		return readText(in, f, head)
	}
}

// readText imports what is read once, from its beginning to its end.
func readText(in *input, f format, head []byte) (*Network, *Report, error) {
	s, err := in.open()
	if err != nil {
		return nil, nil, err
	}
	defer s.Close() //nolint:errcheck // only read
	switch f {
	case formatSaved:
		return readSaved(in.name, s, head[len(savedMagic)])
	case formatGeoJSON:
		return importParis(in.name, "Paris reference (GeoJSON)", geoJSONParts(in.name, s))
	case formatStreetText:
		return importStreets(in, streetText(in.name, s))
	case formatStreetCSV:
		return importStreets(in, streetCSV(in, s))
	default:
		return importParis(in.name, "Paris reference (CSV)", csvParts(in.name, s))
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
	formatOSMXML
	formatOSMPBF
	formatStreetText
	formatStreetCSV
)

func detect(head []byte) format {
	switch osmfile.Detect(head) {
	case osmfile.XML:
		return formatOSMXML
	case osmfile.PBF:
		return formatOSMPBF
	default:
		return detectOther(head)
	}
}

func detectOther(head []byte) format {
	first, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte(savedMagic)) && len(head) >= savedHead:
		return formatSaved
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		return formatGeoJSON
	case strings.TrimSpace(string(first)) == streetColumns:
		return formatStreetCSV
	case bytes.Count(first, []byte(";")) >= 3:
		return formatCSV
	case isStreetText(string(first)):
		return formatStreetText
	default:
		return formatUnknown
	}
}

func unknownFormat(head []byte) error {
	const want = `want the Paris reference "referentiel-comptages-routiers" as GeoJSON or as CSV with semicolons, ` +
		`an OpenStreetMap extract (.osm, .osm.gz, .osm.bz2, .osm.pbf), the Paris street graph (paris_54000.txt or streets.csv), ` +
		`or a network that CityFlow saved`
	first, _, _ := strings.Cut(string(head), "\n")
	text := strings.TrimSpace(string(head[:min(len(head), 40)]))
	switch {
	case len(head) == 0:
		return errors.New("the file is empty: " + want)
	case strings.TrimSpace(first) == nodeColumns:
		return errors.New("these are the junctions of the Paris street graph: import streets.csv, which lies beside it")
	case osmfile.Detect(head) == osmfile.Change:
		return errors.New("this is a file of OpenStreetMap changes, not a map: " + want)
	default:
		return fmt.Errorf("unknown format, the file begins with %q: %s", text, want)
	}
}
