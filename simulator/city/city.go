package city

import (
	"context"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/source"
)

// warmUp is how long the empty city fills before the first interval.
const warmUp = 2 * time.Hour

// A City is a source.Source. It is used by one goroutine.
type City struct {
	cfg     Config
	net     *roadnet.Network
	links   []link
	flow    *flowState
	sensors []sensor
	profile profile
	now     func() time.Time

	day       time.Time
	incidents []incident
	chunk     []traffic.Reading
}

// New puts traffic on a network. Roads without junctions, length or geometry carry
// none; an error says when that is all of them.
func New(cfg Config, net *roadnet.Network) (*City, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure city: %w", err)
	}
	links, err := compile(net, cfg.Seed)
	if err != nil {
		return nil, fmt.Errorf("build city: %w", err)
	}
	settle(links, cfg.Demand)
	c := &City{
		cfg: cfg, net: net, links: links, flow: newFlow(links), now: time.Now,
		profile: profile{cfg.Location}, chunk: make([]traffic.Reading, 0, source.MaxChunk),
	}
	for i := range links {
		c.sensors = append(c.sensors, newSensor(cfg.Seed, i, int(cfg.Interval/Step)))
	}
	return c, nil
}

// Roads returns the network.
func (c *City) Roads(context.Context) ([]traffic.Road, error) { return c.net.Roads, nil }

// Run emits readings until ctx ends or Config.Until is reached, both nil.
func (c *City) Run(ctx context.Context, out source.Out) error {
	begin := c.begin()
	pacer := source.NewPacer(c.cfg.Speed)
	anchor := begin
	if c.cfg.Start.IsZero() {
		anchor = begin.Add(c.cfg.Backfill) // what lies before is late already: it comes at once
	}
	if err := pacer.Wait(ctx, anchor); err != nil {
		return stopped(ctx, err)
	}
	for t := begin.Add(-warmUp); c.cfg.Until.IsZero() || t.Before(c.cfg.Until); t = t.Add(Step) {
		if err := ctx.Err(); err != nil {
			return stopped(ctx, err)
		}
		c.advance(t)
		end := t.Add(Step)
		c.gather(end, end.Sub(begin) >= c.cfg.Interval)
		if len(c.chunk) == 0 {
			continue
		}
		// The readings of this step name the begin of the interval that ends now.
		if err := c.pace(ctx, pacer, end); err != nil {
			return stopped(ctx, err)
		}
		if err := c.emit(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// stopped is nil where the error is the caller's own wish to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it is what was wished for
	}
	return err
}

// begin is the first interval's begin, on the grid of steps.
func (c *City) begin() time.Time {
	if !c.cfg.Start.IsZero() {
		return c.cfg.Start.UTC().Truncate(Step)
	}
	return c.now().UTC().Add(-c.cfg.Backfill).Truncate(Step)
}

// advance moves the traffic on from t by one step and lets the sensors see it.
func (c *City) advance(t time.Time) {
	c.applyIncidents(t)
	c.flow.step(c.profile.at(t))
	for i := range c.sensors {
		c.sensors[i].observe(c.flow)
	}
}

// gather collects the readings of the sensors whose interval ends at end. During the
// warm-up they are measured and dropped.
func (c *City) gather(end time.Time, keep bool) {
	steps := int64(c.cfg.Interval / Step)
	tick := end.Unix() / int64(Step/time.Second) % steps
	for i := range c.sensors {
		s := &c.sensors[i]
		if int64(s.phase) != tick {
			continue
		}
		r, ok := s.report(c.links[s.link].road.ID, end.Add(-c.cfg.Interval), c.cfg.Interval)
		if ok && keep {
			c.chunk = append(c.chunk, r)
		}
	}
}

// pace waits until the event time end is due, and never runs ahead of the clock.
func (c *City) pace(ctx context.Context, pacer *source.Pacer, end time.Time) error {
	if err := pacer.Wait(ctx, end); err != nil {
		return err
	}
	ahead := end.Sub(c.now())
	if ahead <= 0 {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (c *City) emit(ctx context.Context, out source.Out) error {
	defer func() { c.chunk = c.chunk[:0] }()
	for part := c.chunk; len(part) > 0; {
		n := min(len(part), source.MaxChunk)
		if err := out(ctx, part[:n]); err != nil {
			return err
		}
		part = part[n:]
	}
	return nil
}
