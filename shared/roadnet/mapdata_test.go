package roadnet_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
)

// An extract that was cut short is an error wherever it was cut, except that a PBF cut
// between two blocks cannot be told from a whole one.
func TestTruncatedExtractsAreRefused(t *testing.T) {
	pbf, err := os.ReadFile(dataFile(t, "osm-extracts", "andorra.osm.pbf"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dataFile(t, "osm-extracts", "berlin-siegessaeule.osm.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	xml, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(pbf)
	for i := len(damaged) / 2; i < len(damaged)/2+100; i++ {
		damaged[i] ^= 0x55
	}
	for name, content := range map[string][]byte{
		"part.osm": xml[:len(xml)/20], "half.osm.pbf": pbf[:len(pbf)/2],
		"head.osm.pbf": pbf[:40], "tail.osm.pbf": pbf[:len(pbf)-1], "flipped.osm.pbf": damaged,
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := roadnet.Import(t.Context(), path); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v: want an error that names the file", name, err)
		}
	}
}
