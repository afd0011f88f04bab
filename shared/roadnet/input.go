package roadnet

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// An input is a file that can be read several times, compressed or not.
type input struct {
	ctx  context.Context
	name string
	// raw opens the file itself for "", or the file of that name beside it.
	raw func(beside string) (io.ReadCloser, error)
	// passes is how often the file will be read in all.
	passes   int64
	progress func(int64)
}

func openInput(ctx context.Context, path string, opts Options) *input {
	return &input{
		ctx: ctx, name: filepath.Base(path), passes: 1, progress: opts.Progress,
		raw: func(beside string) (io.ReadCloser, error) {
			if beside != "" {
				return os.Open(filepath.Join(filepath.Dir(path), beside))
			}
			return os.Open(path)
		},
	}
}

// A stream is an input while it is read, after decompression.
type stream struct {
	*bufio.Reader
	file io.Closer
}

func (s *stream) Close() error { return s.file.Close() }

// open begins to read the file.
func (in *input) open() (*stream, error) { return in.openBeside("") }

// openBeside begins to read the file of that name in the same folder.
func (in *input) openBeside(name string) (*stream, error) {
	f, err := in.raw(name)
	if err != nil {
		return nil, err
	}
	s, err := in.decompress(f)
	if err != nil {
		f.Close() //nolint:errcheck // only read
		if in.ctx.Err() != nil {
			return nil, in.ctx.Err()
		}
		return nil, err
	}
	return &stream{s, f}, nil
}

func (in *input) decompress(f io.Reader) (*bufio.Reader, error) {
	r := bufio.NewReaderSize(&meteredReader{in: in, r: f}, 64<<10)
	head, _ := r.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		gz, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: not a whole gzip file: %w", in.name, err)
		}
		r = bufio.NewReaderSize(gz, 64<<10)
	case bytes.Equal(head, []byte("BZh")):
		r = bufio.NewReaderSize(bzip2.NewReader(r), 64<<10)
	}
	if err := skipBOM(r); err != nil {
		return nil, damaged(in.name, err)
	}
	return r, nil
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

// peek is the beginning of the file's content.
func (in *input) peek(n int) ([]byte, error) {
	quiet := *in
	quiet.progress = nil
	s, err := quiet.open()
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // only read
	head, err := s.Peek(min(n, s.Size()))
	switch {
	case in.ctx.Err() != nil:
		return nil, in.ctx.Err()
	case err != nil && !errors.Is(err, io.EOF) && len(head) == 0:
		return nil, damaged(in.name, err)
	}
	return bytes.Clone(head), nil
}

// sum is the size and the SHA-256 of the file as it lies on disk.
func (in *input) sum() (size int64, sum string, err error) {
	f, err := in.raw("")
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // only read
	h := sha256.New()
	quiet := *in
	quiet.progress = nil
	size, err = io.Copy(h, &meteredReader{in: &quiet, r: f})
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// A meteredReader fails when its context has ended, and tells how far reading has come.
type meteredReader struct {
	in   *input
	r    io.Reader
	read int64
	told int64
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if err := m.in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.read += int64(n)
	if m.in.progress != nil {
		if due := m.read/m.in.passes - m.told; due > 0 {
			m.told += due
			m.in.progress(due)
		}
	}
	return n, err
}
