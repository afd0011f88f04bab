package wire

import (
	"math"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

func TestAckRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Ack{
			Epoch:      rapid.Uint64().Draw(t, "epoch"),
			Seqs:       rapid.SliceOfN(rapid.Uint64(), 1, MaxAckSeqs/8).Draw(t, "seqs"),
			ServerTime: testNow.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "time")) * time.Microsecond),
			Window:     rapid.IntRange(0, 1000).Draw(t, "window"),
		}
		p, err := EncodeAck(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeAck(p)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestAckBounds(t *testing.T) {
	full := &Ack{Seqs: make([]uint64, MaxAckSeqs), ServerTime: testNow}
	for i := range full.Seqs {
		full.Seqs[i] = math.MaxUint64
	}
	p, err := EncodeAck(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeAck(p); err != nil {
		t.Errorf("the largest ack: %v", err)
	}
	for name, a := range map[string]*Ack{
		"too many batches": {Seqs: make([]uint64, MaxAckSeqs+1)},
		"negative window":  {Window: -1},
		"huge window":      {Window: math.MaxInt},
	} {
		if _, err := EncodeAck(a); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
	for name, m := range map[string]*wirepb.Ack{
		"no version":       {},
		"newer version":    {Version: AckVersion + 1},
		"too many batches": {Version: AckVersion, Seqs: make([]uint64, MaxAckSeqs+1)},
		"huge window":      {Version: AckVersion, Window: math.MaxUint32},
		"impossible time":  {Version: AckVersion, ServerTimeUs: math.MaxInt64},
	} {
		p, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := DecodeAck(p); err == nil || a != nil {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	if _, err := DecodeAck(make([]byte, maxAckBytes+1)); err == nil {
		t.Error("too many bytes were decoded")
	}
}

func FuzzDecodeAck(f *testing.F) {
	p, err := EncodeAck(&Ack{Epoch: 1, Seqs: []uint64{1, 2, 3}, ServerTime: testNow, Window: 4})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		a, err := DecodeAck(p)
		if err != nil {
			return
		}
		if _, err := EncodeAck(a); err != nil {
			t.Errorf("decoded but cannot be encoded: %v", err)
		}
	})
}
