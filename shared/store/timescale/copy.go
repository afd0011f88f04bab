package timescale

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	copyReadings = `COPY %s (ts, sensor_id, road_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id) FROM STDIN BINARY`
	// copyColumns is the number of columns in it.
	copyColumns = 9
	// copyHead is the signature of PostgreSQL's binary COPY format, no flags and
	// no extension.
	copyHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	// postgresEpoch is 2000-01-01 UTC in microseconds since 1970: where PostgreSQL
	// counts times from.
	postgresEpoch = 946_684_800_000_000
)

// copyOffers writes offers straight into a table. It fails as a whole when one of
// them is there.
func copyOffers(ctx context.Context, conn *pgconn.PgConn, table string, offers []row.Offer) error {
	b := make([]byte, 0, len(copyHead)+len(offers)*160+2)
	b = append(b, copyHead...)
	for i := range offers {
		b = appendOffer(b, &offers[i])
	}
	b = binary.BigEndian.AppendUint16(b, math.MaxUint16) // the end
	tag, err := conn.CopyFrom(ctx, bytes.NewReader(b), fmt.Sprintf(copyReadings, table))
	if err == nil && tag.RowsAffected() != int64(len(offers)) {
		err = fmt.Errorf("%d of %d rows were copied", tag.RowsAffected(), len(offers))
	}
	return err
}

// appendOffer adds a row in PostgreSQL's binary COPY format.
func appendOffer(b []byte, o *row.Offer) []byte {
	b = binary.BigEndian.AppendUint16(b, copyColumns)
	b = appendInt(b, o.At-postgresEpoch)
	b = appendString(b, o.Sensor)
	b = appendString(b, o.Road)
	b = appendValue(b, o.R.Speed)
	b = appendValue(b, o.R.Flow)
	b = appendValue(b, o.R.Occupancy)
	b = appendValue(b, o.R.Score)
	b = appendInt(b, int64(o.R.Quality))
	return appendString(b, o.Edge)
}

func appendInt(b []byte, n int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendValue(b []byte, v traffic.Value) []byte {
	f, ok := v.Get()
	if !ok {
		return binary.BigEndian.AppendUint32(b, math.MaxUint32) // NULL
	}
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
}

// A copyReader takes apart rows in PostgreSQL's binary COPY format.
type copyReader struct {
	b   []byte
	err error
}

var errCopyFormat = errors.New("not rows of binary COPY")

// reading takes one row.
func (r *copyReader) reading() (out traffic.Reading) {
	if len(r.b) < 2 || binary.BigEndian.Uint16(r.b) != copyColumns {
		r.err = errCopyFormat
		return out
	}
	r.b = r.b[2:]
	out.At = row.Time(int64(r.number()) + postgresEpoch)
	out.Sensor = traffic.SensorID(r.field())
	out.Road = traffic.RoadID(r.field())
	out.Speed, out.Flow, out.Occupancy, out.Score = r.value(), r.value(), r.value(), r.value()
	out.Quality = traffic.Quality(r.number())
	out.Edge = traffic.EdgeID(r.field())
	return out
}

// field takes one column, nil when it is NULL.
func (r *copyReader) field() []byte {
	if len(r.b) < 4 {
		r.b, r.err = nil, errCopyFormat
		return nil
	}
	n := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	if n == math.MaxUint32 {
		return nil
	}
	if uint64(n) > uint64(len(r.b)) {
		r.b, r.err = nil, errCopyFormat
		return nil
	}
	f := r.b[:n:n]
	r.b = r.b[n:]
	return f
}

func (r *copyReader) number() uint64 {
	f := r.field()
	if len(f) != 8 {
		r.err = errCopyFormat
		return 0
	}
	return binary.BigEndian.Uint64(f)
}

func (r *copyReader) value() traffic.Value {
	f := r.field()
	switch {
	case f == nil:
		return traffic.Value{}
	case len(f) != 8:
		r.err = errCopyFormat
		return traffic.Value{}
	}
	return traffic.Some(math.Float64frombits(binary.BigEndian.Uint64(f)))
}
