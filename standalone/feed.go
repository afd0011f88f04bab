package main

import (
	"context"
	"errors"
	"fmt"
	"time"
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
	err = h.source.Run(ctx, h.services.publisher.Publish)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := h.flush(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		h.log.Info("the source has ended; everything else goes on")
		<-ctx.Done()
	}
	return nil
}

// flush waits until what was published is acknowledged. At the stop it does not wait
// for long: what is left is sent again by a source that begins anew.
func (h *house) flush(ctx context.Context) error {
	if ctx.Err() == nil {
		if err := h.services.publisher.Flush(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := h.services.publisher.Flush(last); err != nil {
		h.log.Warn("the last readings of the source were not taken any more", "error", err)
	}
	return nil
}
