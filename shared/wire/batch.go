package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// The bounds of one batch. A batch beyond them is refused by both sides.
const (
	// BatchVersion is the version of the batch format that is written.
	BatchVersion = 2
	// MaxBatchReadings bounds the readings in one batch.
	MaxBatchReadings = 10000
	// MaxBatchRejected bounds the rejection records in one batch.
	MaxBatchRejected = 2000
	// MaxBatchGaps bounds the gaps in one batch.
	MaxBatchGaps = 256
	// MaxBatchBytes bounds a batch as it is published. Brokers that we run allow
	// packets of this size.
	MaxBatchBytes = 1 << 20
	// maxPlainBytes bounds a batch after decompression.
	maxPlainBytes = 4 << 20
)

// A Batch is what an edge sends to the centre at once. (Edge, Epoch, Seq) names it:
// sent again, it has the same content.
type Batch struct {
	Edge       traffic.EdgeID
	Epoch, Seq uint64
	// Readings keep their order. Their Edge is the batch's: it is not looked at
	// when encoding and filled in when decoding.
	Readings []traffic.Reading
	Rejected []traffic.Rejected
	// Gaps are what the edge lost; their Edge is the batch's, as with Readings.
	Gaps []traffic.Gap
}

// IsHello reports whether b is the one that EncodeHello writes: there is nothing to
// store, only to answer.
func (b *Batch) IsHello() bool {
	return b.Seq == 0 && len(b.Readings)+len(b.Rejected)+len(b.Gaps) == 0
}

// EncodeHello writes a batch without a number and without content: a collector that
// is there answers it at once, with its time and its window.
func EncodeHello(edge traffic.EdgeID) ([]byte, error) {
	return EncodeBatch(&Batch{Edge: edge})
}

// EncodeBatch writes a batch. The bytes depend on nothing but the batch. Times are
// cut to microseconds, Rejected.ID is not kept. It returns an error when the batch
// exceeds a bound or holds text that is not UTF-8.
func EncodeBatch(b *Batch) ([]byte, error) {
	if len(b.Readings) > MaxBatchReadings || len(b.Rejected) > MaxBatchRejected {
		return nil, fmt.Errorf("batch has %d readings and %d rejections: want at most %d and %d",
			len(b.Readings), len(b.Rejected), MaxBatchReadings, MaxBatchRejected)
	}
	gaps, err := encodeGaps(b.Gaps)
	if err != nil {
		return nil, err
	}
	m := &wirepb.Batch{
		Edge:     string(b.Edge),
		Count:    uint32(len(b.Readings)),
		Rejected: encodeRejected(b.Rejected),
		Gaps:     gaps,
	}
	encodeReadings(m, b.Readings)
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	if len(plain) > maxPlainBytes {
		return nil, fmt.Errorf("batch has %d bytes before compression: want at most %d", len(plain), maxPlainBytes)
	}
	return pack(Header{b.Epoch, b.Seq}, plain)
}

// pack compresses an encoded message and puts the header in front.
func pack(h Header, plain []byte) ([]byte, error) {
	body := compress(plain)
	if n := headerBytes + len(body); n > MaxBatchBytes {
		return nil, fmt.Errorf("batch has %d bytes: want at most %d", n, MaxBatchBytes)
	}
	return append(appendHeader(make([]byte, 0, headerBytes+len(body)), h, body), body...), nil
}

// DecodeBatch reads a batch; the error says what is wrong with it, and the batch is
// then nil. The error is ErrDamaged or ErrVersion when PeekHeader can tell which
// batch it is. It never uses more than a few times maxPlainBytes of memory, whatever p
// claims to contain. The readings are not validated beyond their encoding.
func DecodeBatch(p []byte) (*Batch, error) {
	h, body, err := openBody(p)
	if err != nil {
		return nil, err
	}
	b, err := decodeBody(h, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

func decodeBody(h Header, body []byte) (*Batch, error) {
	plain, err := decompress(body)
	if err != nil {
		return nil, fmt.Errorf("decompress batch: %w", err)
	}
	if err := checkFields(plain); err != nil {
		return nil, err
	}
	var m wirepb.Batch
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(plain, &m); err != nil {
		return nil, fmt.Errorf("decode batch: %w", err)
	}
	return batchOf(h, &m)
}

func batchOf(h Header, m *wirepb.Batch) (*Batch, error) {
	b := &Batch{Edge: traffic.EdgeID(m.GetEdge()), Epoch: h.Epoch, Seq: h.Seq}
	var err error
	if b.Readings, err = decodeReadings(m); err != nil {
		return nil, fmt.Errorf("batch %d of edge %q: %w", b.Seq, b.Edge, err)
	}
	if b.Rejected, err = decodeRejected(m.GetRejected(), b.Edge); err != nil {
		return nil, fmt.Errorf("batch %d of edge %q: %w", b.Seq, b.Edge, err)
	}
	if b.Gaps, err = decodeGaps(m.GetGaps(), b.Edge); err != nil {
		return nil, fmt.Errorf("batch %d of edge %q: %w", b.Seq, b.Edge, err)
	}
	return b, nil
}

// checkFields counts the fields before they are decoded, because an empty string or
// message takes two bytes on the wire and a hundred in memory.
func checkFields(plain []byte) error {
	for fields := 0; len(plain) > 0; fields++ {
		if fields > maxFields {
			return fmt.Errorf("batch has more than %d fields", maxFields)
		}
		_, _, n := protowire.ConsumeField(plain)
		if n < 0 {
			return fmt.Errorf("decode batch: %w", protowire.ParseError(n))
		}
		plain = plain[n:]
	}
	return nil
}

// maxFields is what a full batch of readings from different, named, places needs.
const maxFields = 3*MaxBatchReadings + MaxBatchRejected + MaxBatchGaps + 32

// maxRejectedText bounds each text of a rejection record; longer ones are cut, because
// a record that could not be sent would stop the batch that carries it.
const maxRejectedText = 1024

func encodeRejected(rs []traffic.Rejected) []*wirepb.Rejected {
	if len(rs) == 0 {
		return nil
	}
	out := make([]*wirepb.Rejected, len(rs))
	for i, r := range rs {
		out[i] = &wirepb.Rejected{
			TimeUs:  r.At.UnixMicro(),
			Origin:  clip(r.Origin, maxRejectedText),
			Payload: r.Payload[:min(len(r.Payload), traffic.MaxRejectedPayload)],
			Reason:  string(r.Reason),
			Detail:  clip(r.Detail, maxRejectedText),
		}
	}
	return out
}

func decodeRejected(rs []*wirepb.Rejected, edge traffic.EdgeID) ([]traffic.Rejected, error) {
	if len(rs) > MaxBatchRejected {
		return nil, fmt.Errorf("%d rejections: want at most %d", len(rs), MaxBatchRejected)
	}
	if len(rs) == 0 {
		return nil, nil
	}
	out := make([]traffic.Rejected, len(rs))
	for i, r := range rs {
		at, err := timeOfMicro(r.GetTimeUs())
		if err != nil {
			return nil, fmt.Errorf("rejection %d: %w", i, err)
		}
		out[i] = traffic.Rejected{
			At:      at,
			Edge:    edge,
			Origin:  clip(r.GetOrigin(), maxRejectedText),
			Payload: r.GetPayload()[:min(len(r.GetPayload()), traffic.MaxRejectedPayload)],
			Reason:  traffic.Reason(clip(r.GetReason(), maxRejectedText)),
			Detail:  clip(r.GetDetail(), maxRejectedText),
		}
	}
	return out, nil
}
