package osmfile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmpb"
)

const (
	headerBlock = "OSMHeader"
	dataBlock   = "OSMData"
	// The bounds of the format's description.
	maxHeaderBytes = 64 << 10
	maxBlockBytes  = 32 << 20
)

// A blockReader reads the framing of a PBF file: length, BlobHeader, Blob.
type blockReader struct {
	r      io.Reader
	blocks int
	read   int64
	buf    []byte
}

// next returns the kind of the next block and its content after decompression. io.EOF
// means that the file ended between two blocks.
func (b *blockReader) next() (kind string, data []byte, err error) {
	var size [4]byte
	if n, err := io.ReadFull(b.r, size[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return "", nil, io.EOF
		}
		return "", nil, noEOF(err)
	}
	b.blocks++
	n := binary.BigEndian.Uint32(size[:])
	if n == 0 || n > maxHeaderBytes {
		return "", nil, fmt.Errorf("the block's header has %d bytes: want 1 to %d", n, maxHeaderBytes)
	}
	var head osmpb.BlobHeader
	if err := b.message(int(n), &head); err != nil {
		return "", nil, fmt.Errorf("block header: %w", err)
	}
	if head.Datasize <= 0 || head.Datasize > maxBlockBytes {
		return "", nil, fmt.Errorf("the block has %d bytes: want 1 to %d", head.Datasize, maxBlockBytes)
	}
	var blob osmpb.Blob
	if err := b.message(int(head.Datasize), &blob); err != nil {
		return "", nil, fmt.Errorf("block: %w", err)
	}
	b.read += 4 + int64(n) + int64(head.Datasize)
	data, err = decompress(&blob)
	return head.Type, data, err
}

// message reads n bytes and decodes them.
func (b *blockReader) message(n int, m proto.Message) error {
	b.buf = slices.Grow(b.buf[:0], n)[:n]
	if _, err := io.ReadFull(b.r, b.buf); err != nil {
		return noEOF(err)
	}
	return unmarshal(b.buf, m)
}

// unmarshal decodes without keeping what the message does not declare.
func unmarshal(data []byte, m proto.Message) error {
	return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m)
}

func decompress(blob *osmpb.Blob) ([]byte, error) {
	if blob.Raw != nil {
		return blob.Raw, nil
	}
	if blob.RawSize < 0 || blob.RawSize > maxBlockBytes {
		return nil, fmt.Errorf("the block has %d bytes after decompression: want at most %d", blob.RawSize, maxBlockBytes)
	}
	var r io.Reader
	switch {
	case blob.ZlibData != nil:
		z, err := zlib.NewReader(bytes.NewReader(blob.ZlibData))
		if err != nil {
			return nil, err
		}
		defer z.Close() //nolint:errcheck // reports what Read reported
		r = z
	case blob.ZstdData != nil:
		z, err := zstd.NewReader(bytes.NewReader(blob.ZstdData), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlockBytes))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, errors.New("the block is compressed in a way that is not supported: want zlib, zstd or none")
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(blob.RawSize)+1))
	switch {
	case err != nil:
		return nil, noEOF(err)
	case n != int64(blob.RawSize):
		return nil, fmt.Errorf("the block has not the %d bytes after decompression that it declares", blob.RawSize)
	}
	return out.Bytes(), nil
}
