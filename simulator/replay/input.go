package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// headBytes is how much of a file is looked at to recognise its form.
const headBytes = 64 << 10

// An input is an open file, decompressed.
type input struct {
	*bufio.Reader
	path    string
	file    *os.File
	closers []func()
	// onBytes hears of every read of the file itself, for progress.
	onBytes func(int64)
}

// openInput opens path, whatever it is compressed with. A file that can't be traffic
// data is refused with a hint what it is.
func openInput(path string, onBytes func(int64)) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the path by itself
	}
	in := &input{path: path, file: f, onBytes: onBytes}
	if err := in.decompress(); err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

// Close closes the file.
func (in *input) Close() {
	for _, c := range in.closers {
		c()
	}
	_ = in.file.Close() // only read
}

func (in *input) decompress() error {
	raw := bufio.NewReaderSize(&countingReader{r: in.file, on: in.onBytes}, 64<<10)
	magic, err := raw.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read: %w", err)
	}
	if len(magic) == 0 {
		return errors.New("the file is empty")
	}
	if what := foreign(magic); what != "" {
		return errors.New(what)
	}
	var r io.Reader = raw
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := kgzip.NewReader(raw)
		if err != nil {
			return fmt.Errorf("open gzip: %w", err)
		}
		r = z
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return fmt.Errorf("open zstd: %w", err)
		}
		in.closers = append(in.closers, z.Close)
		r = z
	}
	in.Reader = bufio.NewReaderSize(r, headBytes)
	return in.skipBOM()
}

func (in *input) skipBOM() error {
	head, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return readError(err)
	}
	if bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // just seen
	}
	return nil
}

// foreign recognises files that people hand over by mistake.
func foreign(magic []byte) string {
	for prefix, what := range map[string]string{
		"PK\x03\x04":       "this is a zip archive or a spreadsheet: unpack it, or save it as CSV",
		"\xd0\xcf\x11\xe0": "this is an old spreadsheet: save it as CSV",
		"\x89HDF":          "this is an HDF5 file: export it as CSV",
		"PAR1":             "this is a Parquet file: export it as CSV",
		"BZh":              "this is bzip2: unpack it, or compress it with gzip or zstd",
		"\xfd7zXZ":         "this is xz: unpack it, or compress it with gzip or zstd",
		"\xff\xfe":         "this is UTF-16 text: save it as UTF-8",
		"\xfe\xff":         "this is UTF-16 text: save it as UTF-8",
	} {
		if strings.HasPrefix(string(magic), prefix) {
			return what
		}
	}
	return ""
}

// readError says what a failed read means to the owner of the file.
func readError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the file breaks off before its end: fetch it again (%w)", err)
	case errors.Is(err, kgzip.ErrChecksum), errors.Is(err, kgzip.ErrHeader):
		return fmt.Errorf("the compressed data is damaged: fetch the file again (%w)", err)
	default:
		return fmt.Errorf("read: %w", err)
	}
}

// countingReader reports how many bytes of the file were read.
type countingReader struct {
	r  io.Reader
	on func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if n > 0 && c.on != nil {
		c.on(int64(n))
	}
	return n, err
}

// fileSize is the size of a file as it lies on the disk, -1 where it has none.
func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return -1
	}
	return st.Size()
}
