package wire

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// An Ack is the collector's answer to batches that are committed in the database.
// The edge may forget them.
type Ack struct {
	// Epoch is the one of the acknowledged batches.
	Epoch uint64
	// Seqs are the acknowledged batches, at most MaxAckSeqs.
	Seqs []uint64
	// ServerTime is the collector's clock, in UTC at microsecond resolution.
	ServerTime time.Time
	// Window is how many batches the edge may have out unacknowledged; at 0 it sends
	// nothing but hellos until one is answered with more.
	Window int
}

const (
	// AckVersion is the version of the acknowledgement format that is written.
	AckVersion = 1
	// MaxAckSeqs bounds the batches in one acknowledgement.
	MaxAckSeqs = 4096
	// maxWindow bounds what a collector can grant: more is a mistake.
	maxWindow = 1 << 20
	// maxAckBytes is more than MaxAckSeqs numbers of ten bytes need.
	maxAckBytes = 64 << 10
)

// EncodeAck writes an acknowledgement. It returns an error when it has more than
// MaxAckSeqs batches or a negative window.
func EncodeAck(a *Ack) ([]byte, error) {
	if len(a.Seqs) > MaxAckSeqs {
		return nil, fmt.Errorf("ack has %d batches: want at most %d", len(a.Seqs), MaxAckSeqs)
	}
	if a.Window < 0 || a.Window > maxWindow {
		return nil, fmt.Errorf("ack window %d: want 0 to %d", a.Window, maxWindow)
	}
	p, err := proto.Marshal(&wirepb.Ack{
		Version:      AckVersion,
		Epoch:        a.Epoch,
		Seqs:         a.Seqs,
		ServerTimeUs: a.ServerTime.UnixMicro(),
		Window:       uint32(a.Window),
	})
	if err != nil {
		return nil, fmt.Errorf("encode ack: %w", err)
	}
	return p, nil
}

// DecodeAck reads an acknowledgement; the error says what is wrong with it.
func DecodeAck(p []byte) (*Ack, error) {
	if len(p) > maxAckBytes {
		return nil, fmt.Errorf("ack has %d bytes: want at most %d", len(p), maxAckBytes)
	}
	var m wirepb.Ack
	if err := proto.Unmarshal(p, &m); err != nil {
		return nil, fmt.Errorf("decode ack: %w", err)
	}
	switch {
	case m.GetVersion() != AckVersion:
		return nil, fmt.Errorf("ack version %d: this program reads %d", m.GetVersion(), AckVersion)
	case len(m.GetSeqs()) > MaxAckSeqs:
		return nil, fmt.Errorf("ack has %d batches: want at most %d", len(m.GetSeqs()), MaxAckSeqs)
	case m.GetWindow() > maxWindow:
		return nil, fmt.Errorf("ack window %d: want 0 to %d", m.GetWindow(), maxWindow)
	}
	at, err := timeOfMicro(m.GetServerTimeUs())
	if err != nil {
		return nil, fmt.Errorf("ack server time: %w", err)
	}
	return &Ack{Epoch: m.GetEpoch(), Seqs: m.GetSeqs(), ServerTime: at, Window: int(m.GetWindow())}, nil
}
