package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// flushTimeout is how long, at the stop, the last readings of a source may take to be
// acknowledged by the broker in this process.
const flushTimeout = 5 * time.Second

// feed publishes the source's readings to the MQTT port, as any sensor would, until
// ctx ends. A source that has an end leaves everything else running.
func (h *house) feed(ctx context.Context) error {
	roads, err := h.source.roads(ctx)
	if err != nil && ctx.Err() == nil {
		h.log.Warn("the source can't tell its roads: they are listed, but not on the map", "error", err)
	}
	if err := h.store.PutRoads(ctx, roads); err != nil && ctx.Err() == nil {
		return fmt.Errorf("store the roads of the source: %w", err)
	}
	var last time.Time
	err = h.source.Run(ctx, func(ctx context.Context, readings []traffic.Reading) error {
		err := h.services.publisher.Publish(ctx, readings)
		if err == nil {
			last = readings[len(readings)-1].At
		}
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	ended := ctx.Err() == nil
	if h.flush(ctx) {
		if err := h.remember(last, ended); err != nil {
			return err
		}
	}
	if ended {
		h.log.Info("the source has ended; everything else goes on")
		<-ctx.Done()
	}
	return nil
}

// flush waits until what was published is acknowledged, and reports whether it was. At
// the stop it does not wait for long: what is left is sent again at the next start.
func (h *house) flush(ctx context.Context) bool {
	if ctx.Err() == nil && h.services.publisher.Flush(ctx) == nil {
		return true
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := h.services.publisher.Flush(last); err != nil {
		h.log.Warn("the last readings of the source were not taken any more", "error", err)
		return false
	}
	return true
}

// remember keeps how far a replay has come.
func (h *house) remember(last time.Time, ended bool) error {
	mark := h.source.mark
	if mark == nil {
		return nil
	}
	if !last.IsZero() {
		mark.Last = last
	}
	mark.Ended = mark.Ended || ended
	return mark.save()
}
