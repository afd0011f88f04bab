package roadnet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/roadnetpb"
)

// savedMagic begins a saved network; the version of the format follows as one digit,
// then one zstd frame with a checksum, which holds one roadnetpb.Network.
//
// Version 1 had no turns, signals, layers and source. A reader of it would drive
// forbidden turns, so files of version 2 are not for it.
const (
	savedMagic   = "CFROADS"
	savedVersion = '2'
)

// savedHead is how long magic and version are.
const savedHead = len(savedMagic) + 1

// maySaved reports whether a version can be read.
func maySaved(version byte) bool { return version == '1' || version == savedVersion }

// maxSavedBytes bounds a saved network after decompression: about 5 million roads.
const maxSavedBytes = 1 << 30

const formatSavedName = "saved network"

// Save writes a network to one compact file that Import reads back, in place of what
// was there; a crash leaves the old file or the new one. Positions are rounded to
// 1e-7 degree, and Road.UpdatedAt is not kept: it is the store's.
func Save(path string, n *Network) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp*")
	if err != nil {
		return fmt.Errorf("save road network: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone after the rename
	if err := errors.Join(writeSaved(f, n), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save road network to %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("save road network: %w", err)
	}
	return nil
}

func writeSaved(w io.Writer, n *Network) error {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(encodeNetwork(n))
	if err != nil {
		return err
	}
	if len(body) > maxSavedBytes {
		return fmt.Errorf("the network takes %d bytes: want at most %d", len(body), maxSavedBytes)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = w.Write(enc.EncodeAll(body, append([]byte(savedMagic), savedVersion)))
	return errors.Join(err, enc.Close())
}

func readSaved(name string, r io.Reader, version byte) (*Network, *Report, error) {
	if !maySaved(version) {
		return nil, nil, fmt.Errorf("%s: saved in version %q of the format: want 1 to %c: import it with a newer CityFlow", name, version, savedVersion)
	}
	n, err := decodeSaved(r)
	if err != nil {
		return nil, nil, damaged(name, err)
	}
	if len(n.Roads) == 0 {
		return nil, nil, fmt.Errorf("%s: the saved network holds no road: import one and save it again", name)
	}
	rep := &Report{Format: formatSavedName, Rows: len(n.Roads)}
	rep.inspect(n)
	return n, rep, nil
}

func decodeSaved(r io.Reader) (*Network, error) {
	if _, err := io.CopyN(io.Discard, r, int64(savedHead)); err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSavedBytes))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	body, err := io.ReadAll(io.LimitReader(dec, maxSavedBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxSavedBytes:
		return nil, fmt.Errorf("more than %d bytes after decompression", maxSavedBytes)
	}
	var m roadnetpb.Network
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	return decodeNetwork(&m)
}
