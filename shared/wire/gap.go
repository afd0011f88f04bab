package wire

import (
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// maxGapCause bounds the name of a gap's cause.
const maxGapCause = 64

func encodeGaps(gs []traffic.Gap) ([]*wirepb.Gap, error) {
	if len(gs) > MaxBatchGaps {
		return nil, fmt.Errorf("batch has %d gaps: want at most %d", len(gs), MaxBatchGaps)
	}
	if len(gs) == 0 {
		return nil, nil
	}
	out := make([]*wirepb.Gap, len(gs))
	for i, g := range gs {
		if g.FirstSeq > g.LastSeq || g.Readings < 0 || len(g.Cause) > maxGapCause {
			return nil, fmt.Errorf("gap %d: batches %d to %d, %d readings, cause %.70q: not allowed", i, g.FirstSeq, g.LastSeq, g.Readings, g.Cause)
		}
		out[i] = &wirepb.Gap{
			Cause: string(g.Cause), Epoch: g.Epoch, FirstSeq: g.FirstSeq, LastSeq: g.LastSeq,
			FromUs: microOrZero(g.From), ToUs: microOrZero(g.To), Readings: uint64(g.Readings), NoticedUs: microOrZero(g.Noticed),
		}
	}
	return out, nil
}

// decodeGaps is the inverse of encodeGaps. A gap without batches is refused: it
// would lose its name.
func decodeGaps(gs []*wirepb.Gap, edge traffic.EdgeID) ([]traffic.Gap, error) {
	if len(gs) > MaxBatchGaps {
		return nil, fmt.Errorf("%d gaps: want at most %d", len(gs), MaxBatchGaps)
	}
	if len(gs) == 0 {
		return nil, nil
	}
	out := make([]traffic.Gap, len(gs))
	for i, g := range gs {
		if g.GetFirstSeq() > g.GetLastSeq() {
			return nil, fmt.Errorf("gap %d: batches %d to %d", i, g.GetFirstSeq(), g.GetLastSeq())
		}
		out[i] = traffic.Gap{
			Edge: edge, Cause: traffic.GapCause(clip(g.GetCause(), maxGapCause)),
			Epoch: g.GetEpoch(), FirstSeq: g.GetFirstSeq(), LastSeq: g.GetLastSeq(),
			Readings: int(min(g.GetReadings(), maxGapReadings)),
		}
		for _, t := range []struct {
			us   int64
			into *time.Time
		}{{g.GetFromUs(), &out[i].From}, {g.GetToUs(), &out[i].To}, {g.GetNoticedUs(), &out[i].Noticed}} {
			if t.us == 0 {
				continue
			}
			at, err := timeOfMicro(t.us)
			if err != nil {
				return nil, fmt.Errorf("gap %d: %w", i, err)
			}
			*t.into = at
		}
	}
	return out, nil
}

// maxGapReadings bounds a count to what every database holds.
const maxGapReadings = 1 << 53

// microOrZero writes no time as 0: a reading of 1970 is not lost, it was never taken.
func microOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
