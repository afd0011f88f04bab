package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A lineDecoder reads the readings of one line; what it can't use it accounts for.
type lineDecoder func(in *intake, text []byte, line int) []row

// lines reads files of one JSON value per line.
type lines struct {
	in     *intake
	src    *bufio.Reader
	decode lineDecoder
	line   int
	rest   []row // of the current line
	err    error
}

func newLines(in *intake, r io.Reader, decode lineDecoder) *lines {
	return &lines{in: in, src: bufio.NewReaderSize(r, maxLine), decode: decode}
}

func (l *lines) next(r *row) (int, error) {
	for len(l.rest) == 0 {
		if l.err != nil {
			return 0, l.err
		}
		l.readLine()
	}
	*r, l.rest = l.rest[0], l.rest[1:]
	return l.line, nil
}

// readLine decodes the next line; the error of the file is kept for after its rows.
func (l *lines) readLine() {
	text, err := l.src.ReadSlice('\n')
	l.line++
	if errors.Is(err, bufio.ErrBufferFull) {
		l.in.reject(l.line, string(text[:traffic.MaxRejectedPayload]), tooLong())
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.src.ReadSlice('\n')
		}
	} else if text = bytes.TrimSpace(text); len(text) > 0 {
		l.rest = l.decode(l.in, text, l.line)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		l.err = io.EOF
	default:
		l.err = fmt.Errorf("%s: %w", l.in.path, readError(err))
	}
}

func tooLong() error {
	return &traffic.InvalidError{Reason: traffic.ReasonSize, Field: "line", Value: "more than 256 KiB", Allowed: "at most 256 KiB"}
}

// decodeSensorLine reads our own NDJSON: the JSON of a sensor message. The live
// decoder stamps a message without a time with the moment of reception; a file has
// no such moment, so the row is rejected.
func decodeSensorLine(in *intake, text []byte, line int) []row {
	got := wire.DecodeSensor(in.where(line), text, in.now)
	for _, bad := range got.Rejected {
		in.refuse(bad)
	}
	out := make([]row, 0, len(got.Readings))
	for i := range got.Readings {
		rd := &got.Readings[i]
		if rd.Quality&traffic.QualityReceiveTime != 0 {
			in.reject(line, string(text), &traffic.InvalidError{Reason: traffic.ReasonTime, Field: "ts", Value: "absent", Allowed: "an RFC 3339 time"})
			continue
		}
		r := row{
			at: rd.At.UnixMicro(), sensor: in.sensors.number(rd.Sensor, rd.Road),
			speed: rd.Speed, flow: rd.Flow, occupancy: rd.Occupancy,
		}
		if rd.Place != nil {
			in.sensors.list[r.sensor].note(*rd.Place)
		}
		if in.take(&r, line, func() string { return string(text) }) {
			out = append(out, r)
		}
	}
	return out
}
