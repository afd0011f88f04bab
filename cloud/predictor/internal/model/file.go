package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A model file is: magic, the length of the header (4 bytes, big endian), the header
// in JSON, the body in gob, and the SHA-256 of all that. FileVersion changes when the
// body of any model does.
const (
	magic       = "CFMODEL\n"
	FileVersion = 1
	maxHeader   = 64 << 20
	maxFile     = 4 << 30
)

// Errors of Load.
var (
	// ErrDamaged says that a file is no model file, was cut off or changed.
	ErrDamaged = errors.New("damaged model file")
	// ErrOther says that a file is of another version, graph, step or set of horizons.
	ErrOther = errors.New("model file of another kind")
)

// header is the part of a file that can be read without knowing the model.
type header struct {
	Version  int
	Kind     string
	Name     string
	Step     time.Duration
	Horizons []int
	Graph    string
	Roads    int
	Trained  time.Time
}

// Want is what a model file must fit.
type Want struct {
	// Step is the length of a step.
	Step time.Duration
	// Roads and Graph are the roads that there are now. A model that knows some of them
	// fits when the graph among those is as it was; see Rebind for the others.
	Roads []string
	Graph series.Graph
}

// Save writes a model file.
func Save(to io.Writer, m Model) error {
	info := m.Info()
	if kind(m) == "" {
		return fmt.Errorf("save model %s: %T cannot be saved", info.Name, m)
	}
	head, err := json.Marshal(header{FileVersion, kind(m), info.Name, info.Step, info.Horizons, info.Graph, len(info.Roads), info.Trained})
	if err != nil {
		return fmt.Errorf("save model %s: %w", info.Name, err)
	}
	sum := sha256.New()
	w := io.MultiWriter(to, sum)
	buf := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(head)))...)
	if _, err := w.Write(append(buf, head...)); err != nil {
		return fmt.Errorf("save model %s: %w", info.Name, err)
	}
	register()
	if err := gob.NewEncoder(w).Encode(m); err != nil {
		return fmt.Errorf("save model %s: %w", info.Name, err)
	}
	if _, err := to.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("save model %s: %w", info.Name, err)
	}
	return nil
}

// Load reads a model file, whole, and checks it. The error wraps ErrDamaged or
// ErrOther when the file is at fault.
func Load(from io.Reader, want Want) (Model, error) {
	all, err := io.ReadAll(io.LimitReader(from, maxFile))
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	head, body, err := split(all)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	if head.Version != FileVersion {
		return nil, fmt.Errorf("load model: %w: version %d, this program reads %d", ErrOther, head.Version, FileVersion)
	}
	if head.Step != want.Step {
		return nil, fmt.Errorf("load model: %w: steps of %s, want %s", ErrOther, head.Step, want.Step)
	}
	m := blank(head.Kind)
	if m == nil {
		return nil, fmt.Errorf("load model: %w: kind %q is not known", ErrOther, head.Kind)
	}
	register()
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(m); err != nil {
		return nil, fmt.Errorf("load model: %w: %w", ErrDamaged, err)
	}
	if b, ok := m.(*Bundle); ok {
		b.share()
	}
	if now := want.Graph.Hash(want.Roads, m.Info().Roads); now != head.Graph {
		return nil, fmt.Errorf("load model: %w: graph %s, the roads make %s", ErrOther, head.Graph, now)
	}
	return m, nil
}

// split checks magic and checksum and takes a file apart.
func split(all []byte) (header, []byte, error) {
	var head header
	n := len(magic) + 4
	if len(all) < n+sha256.Size || string(all[:len(magic)]) != magic {
		return head, nil, fmt.Errorf("%w: %d bytes without %q at the begin", ErrDamaged, len(all), magic)
	}
	content, sum := all[:len(all)-sha256.Size], all[len(all)-sha256.Size:]
	if got := sha256.Sum256(content); !bytes.Equal(got[:], sum) {
		return head, nil, fmt.Errorf("%w: checksum is %x, file says %x", ErrDamaged, got[:4], sum[:4])
	}
	size := int(binary.BigEndian.Uint32(content[len(magic):n]))
	if size > maxHeader || size > len(content)-n {
		return head, nil, fmt.Errorf("%w: header of %d bytes", ErrDamaged, size)
	}
	if err := json.Unmarshal(content[n:n+size], &head); err != nil {
		return head, nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	return head, content[n+size:], nil
}

// kinds are the models that files can hold, empty, by the name of their kind.
func kinds() map[string]Model {
	return map[string]Model{
		"bundle":        &Bundle{},
		PersistenceName: &persistence{},
		ProfileName:     &profile{},
		EWMALR:          &ewmaModel{},
		"weeks":         &weeksModel{},
		ProfileARName:   &profileAR{},
		MLPName:         &mlp{},
	}
}

// kind is the name of a model's kind; empty when it cannot be saved.
func kind(m Model) string {
	for name, k := range kinds() {
		if reflect.TypeOf(k) == reflect.TypeOf(m) {
			return name
		}
	}
	return ""
}

// blank is an empty model of a kind to decode into; nil when there is no such kind.
func blank(kind string) Model { return kinds()[kind] }

// register tells gob which models a Bundle may hold. Doing so again changes nothing.
func register() {
	for _, m := range kinds() {
		gob.Register(m)
	}
}
