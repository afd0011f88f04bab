package agent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// scoreJSON is what a sign reads from a road's score topic.
type scoreJSON struct {
	Road  traffic.RoadID `json:"road_id"`
	At    time.Time      `json:"ts"`
	Score float64        `json:"congestion_score"`
}

// publishScores publishes changed scores every ScoreInterval until ctx ends.
func (a *Agent) publishScores(ctx context.Context) {
	tick := time.NewTicker(a.cfg.ScoreInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.publishDirty()
		case <-ctx.Done():
			return
		}
	}
}

func (a *Agent) publishDirty() {
	for _, p := range a.board.news() {
		payload, err := json.Marshal(scoreJSON{Road: p.road, At: p.at, Score: p.score})
		if err == nil {
			err = a.broker.Publish(broker.Message{Topic: p.topic, Payload: payload, Retain: true})
		}
		if err != nil {
			a.log.Warn("cannot publish a score", "road", string(p.road), "error", err)
			continue
		}
		a.met.scores.Inc()
	}
}

// Status is what an edge tells about itself on its status topic, as JSON.
type Status struct {
	Edge traffic.EdgeID `json:"edge_id"`
	// State is "online", or "offline" in the last will.
	State     string    `json:"state"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	// At is the edge's clock when the status was made, absent in the last will.
	At *time.Time `json:"at,omitempty"`
	// BufferBytes of MaxBytes are taken by BufferBatches that are not acknowledged.
	BufferBytes    int64  `json:"buffer_bytes"`
	BufferMaxBytes int64  `json:"buffer_max_bytes"`
	BufferBatches  uint64 `json:"buffer_batches"`
	// LagS is the age in seconds of the oldest of them, 0 without any.
	LagS float64 `json:"lag_s"`
	// WrittenBytes of batches were written since StartedAt.
	WrittenBytes uint64 `json:"written_bytes"`
	// ClockOffsetS is the collector's clock minus the edge's, in seconds.
	ClockOffsetS float64 `json:"clock_offset_s"`
}

// status is the payload of the status topic now.
func (a *Agent) status() []byte {
	now := a.now().UTC()
	buffered, link := a.buffer.Stats(), a.uplink.State()
	s := Status{
		Edge: a.cfg.Edge, State: "online", Version: a.cfg.Version, StartedAt: a.started.UTC(), At: &now,
		BufferBytes: buffered.Bytes, BufferMaxBytes: buffered.MaxBytes, BufferBatches: buffered.Batches,
		WrittenBytes: buffered.Written, ClockOffsetS: link.ClockOffset.Seconds(),
	}
	if !buffered.Oldest.IsZero() {
		s.LagS = max(0, now.Sub(buffered.Oldest).Seconds())
	}
	return encode(s)
}

// offline is the payload that remains when the edge is gone.
func (a *Agent) offline() []byte {
	return encode(Status{Edge: a.cfg.Edge, State: "offline", Version: a.cfg.Version, StartedAt: a.started.UTC()})
}

func encode(s Status) []byte {
	b, err := json.Marshal(s)
	if err != nil { // numbers and text always can be
		return []byte("{}")
	}
	return b
}
