package wire

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Whatever byte of a batch is changed, it is either not named at all or named rightly
// and known to be damaged.
func TestDamagedBatchIsNamed(t *testing.T) {
	sound, err := EncodeBatch(goldenBatch())
	if err != nil {
		t.Fatal(err)
	}
	for i := range sound {
		p := append([]byte(nil), sound...)
		p[i] ^= 0x10
		checkDamaged(t, p)
	}
	for n := range sound {
		checkDamaged(t, sound[:n])
	}
}

func checkDamaged(t *testing.T, p []byte) {
	t.Helper()
	b, err := DecodeBatch(p)
	if err == nil || b != nil {
		t.Fatalf("damage was not noticed: % x", p)
	}
	h, peek := PeekHeader(p)
	switch {
	case peek != nil && errors.Is(err, ErrDamaged):
		t.Errorf("named as damaged without a header: %v", err)
	case peek == nil && h != (Header{3, 17}):
		t.Errorf("header %+v", h)
	case peek == nil && !errors.Is(err, ErrDamaged):
		t.Errorf("a named batch gives %v", err)
	}
}

func TestBodyUnderAnothersHeader(t *testing.T) {
	a, err := EncodeBatch(goldenBatch())
	if err != nil {
		t.Fatal(err)
	}
	other := goldenBatch()
	other.Seq, other.Edge = other.Seq+1, "edge-2"
	b, err := EncodeBatch(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeBatch(append(a[:headerBytes:headerBytes], b[headerBytes:]...)); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

// A batch of a later version is named, and not called damaged; one of version 1 is told
// from rubbish.
func TestOtherVersions(t *testing.T) {
	newer := appendHeader(nil, Header{3, 17}, nil)
	newer[len(headerMagic)]++
	copy(newer[headerChecked:], sumOf(newer))
	if h, err := PeekHeader(newer); err != nil || h != (Header{3, 17}) {
		t.Errorf("header of a newer version: %+v, %v", h, err)
	}
	if _, err := DecodeBatch(newer); !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("a newer version: %v", err)
	}
	old, err := os.ReadFile(filepath.Join("testdata", "batch-v1.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeBatch(old); err == nil || !strings.Contains(err.Error(), "batch version 1: this program reads 2") {
		t.Errorf("version 1: %v", err)
	}
}

func sumOf(header []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crcOf(header[:headerChecked]))
}

// crcOf is CRC-32C bit by bit, as an independent check of the table.
func crcOf(p []byte) uint32 {
	sum := ^uint32(0)
	for _, b := range p {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0x82f63b78*(sum&1)
		}
	}
	return ^sum
}

func TestHello(t *testing.T) {
	p, err := EncodeHello("edge-1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := DecodeBatch(p)
	if err != nil || !b.IsHello() || b.Edge != "edge-1" {
		t.Errorf("got %+v, %v", b, err)
	}
	if len(p) > 64 {
		t.Errorf("a hello takes %d bytes", len(p))
	}
	for _, b := range []*Batch{
		{Seq: 1}, {Readings: goldenBatch().Readings}, {Rejected: goldenBatch().Rejected}, {Gaps: goldenBatch().Gaps},
	} {
		if b.IsHello() {
			t.Errorf("%+v passes as a hello", b)
		}
	}
}

func TestEncodeRefusesGaps(t *testing.T) {
	for name, gs := range map[string][]traffic.Gap{
		"too many":   make([]traffic.Gap, MaxBatchGaps+1),
		"backwards":  {{FirstSeq: 2, LastSeq: 1}},
		"negative":   {{Readings: -1}},
		"long cause": {{Cause: traffic.GapCause(strings.Repeat("x", maxGapCause+1))}},
	} {
		if _, err := EncodeBatch(&Batch{Gaps: gs}); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}
