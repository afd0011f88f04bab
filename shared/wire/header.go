package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A Header names a batch, and can be read where the rest of the batch cannot.
type Header struct {
	Epoch, Seq uint64
}

// Errors of DecodeBatch for a batch whose header PeekHeader can read; ask with
// errors.Is.
var (
	// ErrDamaged says that the rest of the batch is not what its edge wrote, or
	// cannot be what an edge may write: it will be no better next time.
	ErrDamaged = errors.New("batch body cannot be read")
	// ErrVersion says that a newer program wrote the batch: it is sound, and not
	// for this program.
	ErrVersion = errors.New("batch of a newer version")
)

// The header of a batch. Its length and these fields stay as they are in all versions:
//
//	0  magic "CF"
//	2  version
//	3  epoch, 8 bytes, big-endian
//	11 number, 8 bytes
//	19 CRC-32C of bytes 0 to 18 and the body, 4 bytes
//	23 CRC-32C of bytes 0 to 22, 4 bytes
const (
	headerMagic   = "CF"
	headerNames   = 19
	headerChecked = headerNames + 4
	headerBytes   = headerChecked + 4
	// zstdMagic is how a batch of version 1 began, which had no header.
	zstdMagic = "\x28\xb5\x2f\xfd"
)

// appendHeader writes the header that belongs in front of body.
func appendHeader(p []byte, h Header, body []byte) []byte {
	start := len(p)
	p = append(p, headerMagic...)
	p = append(p, BatchVersion)
	p = binary.BigEndian.AppendUint64(p, h.Epoch)
	p = binary.BigEndian.AppendUint64(p, h.Seq)
	p = binary.BigEndian.AppendUint32(p, bodySum(p[start:], body))
	return binary.BigEndian.AppendUint32(p, crc32.Checksum(p[start:], castagnoli))
}

// bodySum covers the names too, so that a body cannot pass under another's header.
func bodySum(names, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(names[:headerNames], castagnoli), castagnoli, body)
}

// castagnoli is a table that the standard library keeps; it is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// PeekHeader reads what names a batch, also of one whose body is damaged or of a newer
// version. The error says why there is no header to be trusted.
func PeekHeader(p []byte) (Header, error) {
	switch {
	case len(p) >= len(zstdMagic) && string(p[:len(zstdMagic)]) == zstdMagic:
		return Header{}, fmt.Errorf("batch version 1: this program reads %d", BatchVersion)
	case len(p) < headerBytes:
		return Header{}, fmt.Errorf("batch has %d bytes: want a header of %d", len(p), headerBytes)
	case string(p[:len(headerMagic)]) != headerMagic:
		return Header{}, fmt.Errorf("batch begins with % x: want %q", p[:len(headerMagic)], headerMagic)
	case binary.BigEndian.Uint32(p[headerChecked:]) != crc32.Checksum(p[:headerChecked], castagnoli):
		return Header{}, errors.New("batch header has a wrong checksum")
	}
	return Header{Epoch: binary.BigEndian.Uint64(p[3:]), Seq: binary.BigEndian.Uint64(p[11:])}, nil
}

// openBody checks the header and returns it with the compressed body.
func openBody(p []byte) (Header, []byte, error) {
	h, err := PeekHeader(p)
	if err != nil {
		return h, nil, err
	}
	body := p[headerBytes:]
	switch version := p[len(headerMagic)]; {
	case version > BatchVersion:
		return h, nil, fmt.Errorf("%w: version %d, this program reads %d", ErrVersion, version, BatchVersion)
	case version < BatchVersion:
		return h, nil, fmt.Errorf("%w: version %d: this program reads %d", ErrDamaged, version, BatchVersion)
	case len(p) > MaxBatchBytes:
		return h, nil, fmt.Errorf("%w: batch has %d bytes: want at most %d", ErrDamaged, len(p), MaxBatchBytes)
	case binary.BigEndian.Uint32(p[headerNames:]) != bodySum(p, body):
		return h, nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	return h, body, nil
}
