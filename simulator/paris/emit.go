package paris

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/source"
)

// emit hands on the readings of the records that were not handed on before.
func (s *Source) emit(ctx context.Context, recs []parisfeed.Record, out source.Out) error {
	fresh := s.unseen(recs)
	player := source.NewPlayer(source.SpeedMax, func(ctx context.Context, rs []traffic.Reading) error {
		if err := out(ctx, rs); err != nil {
			return err
		}
		s.metrics.readings.Add(float64(len(rs)))
		return nil
	})
	for i := range fresh {
		if err := player.Add(ctx, &fresh[i]); err != nil {
			return err
		}
	}
	if err := player.Flush(ctx); err != nil {
		return err
	}
	if len(fresh) > 0 {
		s.log.Info("new readings", "readings", len(fresh), "from", fresh[0].At, "to", fresh[len(fresh)-1].At)
	}
	return nil
}

// unseen returns the readings of the records that are new, in time order, and marks
// them as seen. Hours without measurement are not: the city may fill them in later.
func (s *Source) unseen(recs []parisfeed.Record) []traffic.Reading {
	var fresh []traffic.Reading
	newest := int64(0)
	for i := range recs {
		rec := &recs[i]
		if rec.Arc != "" && !rec.Measured() {
			continue
		}
		r, err := s.reading(rec)
		if err != nil {
			s.reject(rec, err)
			continue
		}
		key := seenKey{rec.Arc, r.At.Unix()}
		newest = max(newest, key.at)
		if _, old := s.seen[key]; !old {
			s.seen[key] = struct{}{}
			fresh = append(fresh, r)
		}
	}
	horizon := newest - int64((s.cfg.Lookback+time.Hour)/time.Second)
	for key := range s.seen {
		if key.at < horizon {
			delete(s.seen, key)
		}
	}
	slices.SortStableFunc(fresh, func(a, b traffic.Reading) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Sensor, b.Sensor)) })
	return fresh
}

func (s *Source) reading(rec *parisfeed.Record) (traffic.Reading, error) {
	count, err := rec.Count(s.clock)
	if err != nil {
		return traffic.Reading{}, err
	}
	id := rec.SensorID()
	r := traffic.Reading{
		At: count.At, Sensor: id, Road: traffic.RoadID(id), Flow: count.Flow, Occupancy: count.Occupancy, Place: s.place(rec),
	}
	return r, r.Validate(time.Now())
}

// place shares one Place among the readings of an arc.
func (s *Source) place(rec *parisfeed.Record) *traffic.Place {
	p := s.places[rec.Arc]
	if p == nil || p.Label != rec.Label {
		p = rec.Place()
		s.places[rec.Arc] = p
	}
	return p
}

func (s *Source) reject(rec *parisfeed.Record, err error) {
	r := traffic.Rejected{
		At: time.Now().UTC(), Origin: s.cfg.URL + " " + s.cfg.Dataset, Payload: []byte(rec.String()),
		Reason: traffic.ReasonParse, Detail: err.Error(),
	}
	var invalid *traffic.InvalidError
	if errors.As(err, &invalid) {
		r.Reason = invalid.Reason
	}
	if len(r.Payload) > traffic.MaxRejectedPayload {
		r.Payload = r.Payload[:traffic.MaxRejectedPayload]
	}
	s.onRejected(r)
}
