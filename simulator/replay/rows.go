package replay

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A row is one reading on its way from a file to the receiver.
type row struct {
	at                     int64 // begin of the interval, µs since 1970
	sensor                 uint32
	speed, flow, occupancy traffic.Value
}

// blockRows is how many rows are allocated at a time, so that growing never copies.
const blockRows = 8192

// A block holds rows column by column; a quantity that none of them has costs
// nothing. NaN is "absent".
type block struct {
	n                      int
	at                     [blockRows]int64
	sensor                 [blockRows]uint32
	speed, flow, occupancy *[blockRows]float64
}

// rows are the readings of one file in memory, 20 to 36 bytes each.
type rows struct {
	blocks []*block
	n      int
	sorted bool
	last   int64
	// order are the positions in time order, nil while the rows are in that order
	// by themselves.
	order []uint32
}

func newRows() *rows { return &rows{sorted: true, last: math.MinInt64} }

// errTooMany says that a position does not fit; Config.MaxRows is far below.
var errTooMany = errors.New("more rows than fit in memory")

func (s *rows) add(r *row) error {
	if s.n == math.MaxUint32 {
		return errTooMany
	}
	if len(s.blocks) == 0 || s.blocks[len(s.blocks)-1].n == blockRows {
		s.blocks = append(s.blocks, &block{})
	}
	b := s.blocks[len(s.blocks)-1]
	b.at[b.n], b.sensor[b.n] = r.at, r.sensor
	put(&b.speed, b.n, r.speed)
	put(&b.flow, b.n, r.flow)
	put(&b.occupancy, b.n, r.occupancy)
	b.n++
	s.n++
	s.sorted = s.sorted && r.at >= s.last
	s.last = r.at
	return nil
}

func put(column **[blockRows]float64, i int, v traffic.Value) {
	f, ok := v.Get()
	if *column == nil {
		if !ok {
			return
		}
		*column = new([blockRows]float64)
		for j := range i {
			(*column)[j] = math.NaN()
		}
	}
	if !ok {
		f = math.NaN()
	}
	(*column)[i] = f
}

// sort brings the rows into time order; rows of one instant keep theirs.
func (s *rows) sort() {
	if s.sorted {
		return
	}
	s.order = make([]uint32, s.n)
	for i := range s.order {
		s.order[i] = uint32(i)
	}
	slices.SortFunc(s.order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(s.time(a), s.time(b)), cmp.Compare(a, b))
	})
}

func (s *rows) time(i uint32) int64 { return s.blocks[i/blockRows].at[i%blockRows] }

// get fills r with the i-th row in time order.
func (s *rows) get(i int, r *row) {
	if s.order != nil {
		i = int(s.order[i])
	}
	b, j := s.blocks[i/blockRows], i%blockRows
	*r = row{
		at: b.at[j], sensor: b.sensor[j],
		speed: take(b.speed, j), flow: take(b.flow, j), occupancy: take(b.occupancy, j),
	}
}

func take(column *[blockRows]float64, i int) traffic.Value {
	if column == nil {
		return traffic.Value{}
	}
	return traffic.Some(column[i]) // NaN becomes absent
}
