package predictor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/incident"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Alarms is where alerts are kept.
type Alarms interface {
	store.AlertWriter
	store.AlertReader
}

const (
	// alarmMin is how far ahead, in minutes, the forecast was made that the measurement is
	// held against: long enough not to know of an incident yet.
	alarmMin = 15
	// maxActive bounds the alerts that are taken up after a restart, and maxUntold those
	// that wait to be announced.
	maxActive = 1000
	maxUntold = 1000
)

// alarms turns what the detector finds into alerts.
type alarms struct {
	store    Alarms
	detector *incident.Detector
	// horizon is the index of the horizon that measurements are held against, ahead the
	// same in steps.
	horizon, ahead int
	levels         *levels
	// last is the newest step that was looked at.
	last int64
	// waiting are alerts to be stored, untold those that were and are to be announced.
	waiting, untold []traffic.Alert
}

func newAlarms(cfg *Config, s Alarms) *alarms {
	a := &alarms{store: s, detector: incident.New(func(int) []int32 { return nil })}
	for h, minutes := range cfg.Horizons {
		if best := cfg.Horizons[a.horizon]; minutes >= alarmMin && (best < alarmMin || minutes < best) || best < alarmMin && minutes > best {
			a.horizon = h
		}
	}
	a.ahead = cfg.stepsAhead(cfg.Horizons[a.horizon])
	a.levels = newLevels(a.ahead)
	return a
}

// resume takes up the alerts that were going on before a restart.
func (a *alarms) resume(ctx context.Context, c *city, m *memory) error {
	a.detector, a.last, a.waiting = incident.New(c.graph.Of), 0, nil
	active, _, err := a.store.Alerts(ctx, store.AlertQuery{State: store.AlertActive, Page: store.Page{Limit: maxActive}})
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	for i := range active {
		t := &active[i]
		in := incident.Incident{
			Start: m.number(t.Start), Updated: m.number(t.Updated), Severity: t.Severity,
			Observed: float32(t.Observed), Expected: float32(t.Expected), Road: c.number(t.Road),
		}
		for _, id := range t.Roads {
			if n := c.number(id); n >= 0 {
				in.Roads = append(in.Roads, n)
			}
		}
		if t.Kind != traffic.AlertIncident || in.Road < 0 || len(in.Roads) == 0 {
			continue // another shard's
		}
		a.last = max(a.last, in.Updated)
		a.detector.Adopt(in)
	}
	return nil
}

// look holds the newest step, a slot, against what was forecast for it, and keeps what is
// forecast now. A cycle that is run again raises nothing.
func (a *alarms) look(c *cycles, s *slot) {
	step, roads := c.memory.newest(), len(c.city.roads)
	if step <= a.last {
		return
	}
	a.last = step
	measured := a.levels.measure(s, roads)
	for _, in := range a.detector.Step(step, measured, func(road int) (evaluate.Forecast, bool) { return a.expected(c, road, step) }) {
		a.waiting = append(a.waiting, c.alert(&in))
	}
	a.keep(c, step+int64(a.ahead), roads)
}

// keep remembers the speeds that the models which speak forecast for a step.
func (a *alarms) keep(c *cycles, step int64, roads int) {
	a.levels.keep(step, roads, func(road int) (float64, bool) {
		for _, m := range c.board.Order(a.horizon, int(c.city.groups[road])) {
			if v, ok := c.speakers.speed(m, road, a.horizon); ok {
				return v, true
			}
		}
		return 0, false
	})
}

// expected is what the model that speaks had forecast for a step: from speeds, or of the
// score where only the occupancy is measured.
func (a *alarms) expected(c *cycles, road int, step int64) (evaluate.Forecast, bool) {
	if a.levels.free[road] > 0 {
		return a.levels.expected(step, road)
	}
	for _, m := range c.board.Order(a.horizon, int(c.city.groups[road])) {
		if f, ok := c.board.Pending(m, a.horizon, road, step); ok {
			return f, true
		}
	}
	return evaluate.Forecast{}, false
}

// put stores what changed.
func (a *alarms) put(ctx context.Context) error {
	if len(a.waiting) == 0 {
		return nil
	}
	if err := a.store.PutAlerts(ctx, a.waiting); err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	a.untold = append(a.untold, a.waiting...)
	a.untold = slices.Delete(a.untold, 0, max(0, len(a.untold)-maxUntold))
	a.waiting = nil
	return nil
}

// takeUntold hands over the alerts that were stored since the last call.
func (a *alarms) takeUntold() []traffic.Alert {
	out := a.untold
	a.untold = nil
	return out
}

// alert is an incident as it is stored.
func (c *cycles) alert(in *incident.Incident) traffic.Alert {
	r := &c.city.roads[in.Road]
	out := traffic.Alert{
		Kind: traffic.AlertIncident, Road: r.id, Start: c.begin(in.Start), Updated: c.begin(in.Updated), Severity: in.Severity,
		Observed: round(float64(in.Observed), 1000), Expected: round(float64(in.Expected), 1000), Lat: r.lat, Lng: r.lng,
	}
	if in.End != 0 {
		out.End = c.begin(in.End)
	}
	for _, n := range in.Roads {
		out.Roads = append(out.Roads, c.city.roads[n].id)
	}
	slices.Sort(out.Roads)
	out.Roads = out.Roads[:min(len(out.Roads), traffic.MaxAlertRoads)]
	name := r.label
	if name == "" {
		name = string(r.id)
	}
	out.Detail = fmt.Sprintf("%s: %.0f %% slower than free where %.0f %% was forecast, %d road(s) affected",
		name, 100*out.Observed, 100*out.Expected, len(in.Roads))
	return out
}

// begin is the time at which a step begins.
func (c *cycles) begin(step int64) time.Time {
	return time.Unix(step*int64(c.cfg.Step/time.Second), 0).UTC()
}
