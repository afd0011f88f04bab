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
	Road traffic.RoadID `json:"road_id"`
	// At is absent while the edge does not know the time.
	At    *time.Time `json:"ts,omitempty"`
	Score float64    `json:"congestion_score"`
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
		s := scoreJSON{Road: p.road, Score: p.score}
		if !p.at.Before(traffic.Earliest) {
			s.At = &p.at
		}
		payload, err := json.Marshal(s)
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
