package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are what the centre may change; nil leaves a setting as the box has it. Each is
// named like its flag.
type Settings struct {
	// CommitInterval is how long readings may wait to be written together.
	CommitInterval *time.Duration
	// BufferMiB is the disk space of the buffer.
	BufferMiB *int64
	// Window is how many batches may be unacknowledged, whatever the collector grants.
	Window *int
	// CentralURL is the central broker.
	CentralURL *string
	// StatusInterval is how often the status is published.
	StatusInterval *time.Duration
	// LogLevel is the least severe level that is logged.
	LogLevel *slog.Level
}

// A version is what the centre left.
type version struct {
	Number   uint64                     `json:"version"`
	Settings map[string]json.RawMessage `json:"settings"`
}

// maxPayload bounds a configuration message.
const maxPayload = 16 << 10

// parse reads a message. Its number is known also when the rest is refused, and 0 when
// not even that can be read.
func parse(payload []byte) (version, Settings, error) {
	var v version
	if len(payload) > maxPayload {
		return v, Settings{}, fmt.Errorf("message has %d bytes: want at most %d", len(payload), maxPayload)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		var number struct {
			Number uint64 `json:"version"`
		}
		_ = json.Unmarshal(payload, &number) // as far as it goes
		v.Number = number.Number
		return v, Settings{}, fmt.Errorf("message cannot be read: %w", err)
	}
	if v.Number == 0 {
		return v, Settings{}, errors.New("version: 0 or absent: want 1 or more")
	}
	s, err := v.read()
	return v, s, err
}

// read checks every setting, and names each that is not allowed.
func (v *version) read() (Settings, error) {
	var s Settings
	readers := s.readers()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(v.Settings)) {
		read, raw := readers[name], v.Settings[name]
		if read == nil {
			errs = append(errs, fmt.Errorf("%s: unknown: allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(readers)), ", ")))
			continue
		}
		if allowed := read(raw); allowed != "" {
			errs = append(errs, fmt.Errorf("%s: %s is not allowed: want %s", name, shown(raw), allowed))
		}
	}
	return s, errors.Join(errs...)
}

// shown is the head of a value.
func shown(raw []byte) string { return string(raw[:min(len(raw), 64)]) }

// readers take a value into s each, or say what is allowed.
func (s *Settings) readers() map[string]func(raw []byte) (allowed string) {
	return map[string]func([]byte) string{
		"commit-interval": duration(&s.CommitInterval, 0, time.Minute),
		"status-interval": duration(&s.StatusInterval, time.Second, time.Hour),
		"buffer-mib":      whole(&s.BufferMiB, 64, 1<<20),
		"window":          whole(&s.Window, 1, 1024),
		"central-url": func(raw []byte) string {
			return text(raw, func(v string) bool { s.CentralURL = &v; return v != "" }, "tcp://host:port or tls://host:port")
		},
		"log-level": func(raw []byte) string {
			var level slog.Level
			s.LogLevel = &level
			plain := func(v string) bool { return level.UnmarshalText([]byte(v)) == nil && !strings.ContainsAny(v, "+-") }
			return text(raw, plain, "debug, info, warn or error")
		},
	}
}

// text reads a string that ok takes.
func text(raw []byte, ok func(string) bool, allowed string) string {
	var v string
	if json.Unmarshal(raw, &v) != nil || !ok(v) {
		return allowed
	}
	return ""
}

// duration reads a string such as "500ms".
func duration(into **time.Duration, least, most time.Duration) func([]byte) string {
	return func(raw []byte) string {
		return text(raw, func(v string) bool {
			d, err := time.ParseDuration(v)
			*into = &d
			return err == nil && d >= least && d <= most
		}, fmt.Sprintf("a duration such as \"500ms\", %s to %s", least, most))
	}
}

// whole reads a number.
func whole[N int | int64](into **N, least, most N) func([]byte) string {
	return func(raw []byte) string {
		v, err := strconv.ParseInt(string(raw), 10, 64)
		n := N(v)
		*into = &n
		if err != nil || n < least || n > most {
			return fmt.Sprintf("a whole number, %d to %d", least, most)
		}
		return ""
	}
}
