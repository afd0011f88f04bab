package clock

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A BootID names one boot of the machine.
type BootID [16]byte

// A machine is where the time comes from.
type machine struct {
	id BootID
	// wall is what the machine's clock says, boot the time since its boot, synced
	// whether something keeps its clock right.
	wall   func() time.Time
	boot   func() time.Duration
	synced func() bool
}

// A Source is where the time is known from.
type Source string

// The sources, see the package's text.
const (
	Unknown  Source = "unknown"
	Operator Source = "operator"
	NTP      Source = "ntp"
	Server   Source = "server"
	Saved    Source = "saved"
)

// A Clock knows the time, or will. All methods may be called from any goroutine.
type Clock struct {
	cfg Config
	log *slog.Logger
	m   machine

	// wake asks the goroutine to look at once; over ends it.
	wake, over, ended chan struct{}
	closing           sync.Once

	mu sync.Mutex // guards all below
	// booted is when the machine booted, where source says that this is known, give
	// or take bound when the boot clock said at.
	booted time.Time
	source Source
	bound  time.Duration
	at     time.Duration
	// doubt is when the machine booted by a collector that nobody confirmed yet.
	doubt time.Time
	// floor is a time that was known in an earlier boot.
	floor time.Time
	// byWall is when the machine booted by its own clock when that was last looked at, and
	// synced whether it was right.
	byWall time.Time
	synced bool
	steps  int
	// offset is the collector's clock minus ours when it was last heard.
	offset  time.Duration
	heard   bool
	warned  bool
	onKnown func(booted time.Time) error
	told    bool
	saved   time.Duration // on the boot clock
}

// Open reads what was known and begins to watch the machine's clock.
func Open(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Clock, error) {
	m, err := thisMachine()
	if err != nil {
		return nil, fmt.Errorf("open clock: %w", err)
	}
	return open(cfg, m, log, reg)
}

func open(cfg Config, m machine, log *slog.Logger, reg prometheus.Registerer) (*Clock, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure clock: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Clock{
		cfg: cfg, log: log.With("component", "clock"), m: m, source: Unknown,
		wake: make(chan struct{}, 1), over: make(chan struct{}), ended: make(chan struct{}),
	}
	register(reg, c)
	c.recall()
	c.byWall = c.bootByWall()
	c.look()
	go c.watch()
	return c, nil
}

// Close stops watching and keeps what is known.
func (c *Clock) Close() error {
	var err error
	c.closing.Do(func() {
		close(c.over)
		<-c.ended
		c.mu.Lock()
		defer c.mu.Unlock()
		err = c.save()
	})
	return err
}

// Boot names the machine's current boot.
func (c *Clock) Boot() BootID { return c.m.id }

// Read is the time in UTC and whether it is known; otherwise it is a stamp, the time since
// boot added to 1970.
func (c *Clock) Read() (t time.Time, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

// read is Read. The caller holds mu.
func (c *Clock) read() (t time.Time, known bool) {
	switch c.source {
	case Unknown:
		return time.Unix(0, 0).Add(c.m.boot()).UTC(), false
	case Operator:
		return c.m.wall().UTC(), true
	default:
		return c.booted.Add(c.m.boot()), true
	}
}

// Now is the time, and whether it is known; otherwise a time that has passed for sure.
func (c *Clock) Now() (t time.Time, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, known = c.read(); known {
		return t, true
	}
	t = c.cfg.Built
	for _, passed := range []time.Time{c.floor, c.m.wall()} {
		if passed.After(t) {
			t = passed
		}
	}
	return t, false
}

// OnKnown calls known, from another goroutine and again every second until it returns nil,
// when it is known when the machine booted.
func (c *Clock) OnKnown(known func(booted time.Time) error) {
	c.mu.Lock()
	c.onKnown, c.told = known, false
	c.mu.Unlock()
	c.signal()
}

func (c *Clock) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// lookInterval is how often the machine's clock is looked at.
const lookInterval = time.Second

// watch looks at the machine's clock until Close.
func (c *Clock) watch() {
	defer close(c.ended)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.wake:
		case <-c.over:
			return
		}
		c.look()
		c.tell()
		c.keep()
	}
}

// tell tells OnKnown's function.
func (c *Clock) tell() {
	c.mu.Lock()
	known, booted := c.onKnown, c.bootTime()
	if c.told || known == nil || c.source == Unknown {
		c.mu.Unlock()
		return
	}
	c.told = true
	c.mu.Unlock()
	if err := known(booted); err != nil {
		c.log.Error("cannot tell that the time is known; trying again", "error", err)
		c.mu.Lock()
		c.told = false
		c.mu.Unlock()
	}
}

// A State is what a clock knows.
type State struct {
	// Source is where the time is known from.
	Source Source
	// Error bounds how wrong it is where nothing keeps the machine's clock right; it
	// grows by 100 ppm until the next measurement.
	Error time.Duration
	// Offset is the collector's clock minus ours, where Heard says that there was one.
	Offset time.Duration
	Heard  bool
	// Machine is our time minus what the machine's clock says, 0 while unknown.
	Machine time.Duration
	// Steps counts how often the machine's clock was set.
	Steps int
}

// State tells what is known.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := State{Source: c.source, Offset: c.offset, Heard: c.heard, Steps: c.steps}
	if t, known := c.read(); known {
		s.Machine = t.Sub(c.m.wall())
	}
	if c.source == Server || c.source == NTP && !c.synced {
		s.Error = c.aged(c.m.boot())
	}
	return s
}
