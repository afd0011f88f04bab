package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// maxAge is when the roads are read again without a reason.
	maxAge = time.Minute
	// minAge keeps a stream of unknown roads, or a broken store, from reading all
	// the time.
	minAge = 2 * time.Second
	// loadTimeout bounds one reading.
	loadTimeout = 30 * time.Second
	// pageSize is how many roads are read at once.
	pageSize = 5000
)

// A Catalogue keeps the roads fresh. It is safe for concurrent use.
type Catalogue struct {
	reader store.RoadReader
	log    *slog.Logger
	now    func() time.Time

	flight  singleflight.Group
	current atomic.Pointer[Roads]
	loaded  atomic.Int64 // when the roads were last read, or tried, in Unix nanoseconds
	wanted  atomic.Bool  // somebody knows a road that we don't

	life context.Context // ends with Close
	end  context.CancelFunc

	mu      sync.Mutex // guards everything below
	closed  bool
	reading sync.WaitGroup
}

// errClosed is returned after Close when the roads were never read.
var errClosed = errors.New("the roads are no longer read")

// NewCatalogue returns a Catalogue that has read nothing yet. Close it.
func NewCatalogue(reader store.RoadReader, log *slog.Logger, now func() time.Time) *Catalogue {
	life, end := context.WithCancel(context.Background())
	return &Catalogue{reader: reader, log: log.With("component", "network"), now: now, life: life, end: end}
}

// Close ends a reading that is under way and waits for it. The last roads stay.
func (c *Catalogue) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.reading.Wait()
}

// begin reports whether a reading may begin; reading.Done ends it.
func (c *Catalogue) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.reading.Add(1)
	}
	return !c.closed
}

// Current returns the last known roads without reading; nil before the first.
func (c *Catalogue) Current() *Roads { return c.current.Load() }

// Want says that a road is missing; the next Refresh reads again, though not at once
// after the last time.
func (c *Catalogue) Want() { c.wanted.Store(true) }

// Get returns the last known roads at once, and reads only when there are none yet.
// So no request waits for a store that is slow or gone.
func (c *Catalogue) Get(ctx context.Context) (*Roads, error) {
	if roads := c.current.Load(); roads != nil {
		return roads, nil
	}
	return c.Refresh(ctx)
}

// Refresh reads the roads again when they are a minute old or one is wanted. The error
// is the store's, and only comes when the roads were never read.
func (c *Catalogue) Refresh(ctx context.Context) (*Roads, error) {
	if roads := c.current.Load(); roads != nil && !c.due() {
		return roads, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err // nobody waits for it
	}
	result := c.flight.DoChan("roads", func() (any, error) {
		if !c.begin() {
			return nil, errClosed
		}
		defer c.reading.Done()
		// The reading serves everybody who waits, so it does not end with one of them.
		ctx, cancel := context.WithTimeout(c.life, loadTimeout)
		defer cancel()
		return c.load(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Roads), nil
	}
}

func (c *Catalogue) due() bool {
	age := c.now().Sub(time.Unix(0, c.loaded.Load()))
	return age >= maxAge || c.wanted.Load() && age >= minAge
}

func (c *Catalogue) load(ctx context.Context) (*Roads, error) {
	if roads := c.current.Load(); roads != nil && !c.due() {
		return roads, nil // somebody was faster
	}
	c.wanted.Store(false)
	roads, err := c.read(ctx)
	c.loaded.Store(c.now().UnixNano())
	old := c.current.Load()
	switch {
	case err != nil && old != nil:
		c.log.Warn("the roads could not be read again; those of before are shown", "error", err)
		c.wanted.Store(true)
		return old, nil
	case err != nil:
		return nil, err
	case old != nil && old.Version == roads.Version:
		return old, nil
	}
	c.current.Store(roads)
	return roads, nil
}

func (c *Catalogue) read(ctx context.Context) (*Roads, error) {
	var all []traffic.Road
	page := store.Page{Limit: pageSize}
	for {
		part, next, err := c.reader.Roads(ctx, store.RoadFilter{}, page)
		if err != nil {
			return nil, fmt.Errorf("read roads: %w", err)
		}
		all = append(all, part...)
		if next == "" {
			return newRoads(all)
		}
		page.After = next
	}
}
