package clock

import "time"

// stepLimit is how far the machine's clock may move against its boot clock in a second
// without having been set: NTP's slewing is a thousandth of it.
const stepLimit = 500 * time.Millisecond

// driftPPM is how wrong a cheap quartz may run.
const driftPPM = 100

// bootByWall is when the machine booted by its own clock. (Round drops the monotonic
// reading, which would hide a step.)
func (c *Clock) bootByWall() time.Time { return c.m.wall().Round(0).Add(-c.m.boot()).UTC() }

// bootTime is when the machine booted. The caller holds mu.
func (c *Clock) bootTime() time.Time {
	if c.source == Operator {
		return c.bootByWall()
	}
	return c.booted
}

// look compares the machine's clock with the boot clock, and takes it where it is right.
func (c *Clock) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.m.synced()
	byWall := c.bootByWall()
	synced := before && c.m.synced() // nobody set it while we looked
	c.synced = synced
	if step := byWall.Sub(c.byWall); step.Abs() > stepLimit {
		c.steps++
		c.log.Warn("the machine's clock was set", "by", step, "synchronised", synced, "time_known_from", string(c.source))
	}
	c.byWall = byWall
	if c.m.wall().Before(c.cfg.Built) {
		return // whoever says that it is right
	}
	switch {
	case c.cfg.Mode == Trusted:
		c.know(Operator, byWall)
	case synced:
		c.know(NTP, byWall)
		c.bound, c.at = 0, c.m.boot()
	}
}

// know takes a source and what it says. The caller holds mu.
func (c *Clock) know(from Source, booted time.Time) {
	if c.source != from {
		c.log.Info("the time is known", "from", string(from), "before", string(c.source), "booted", booted, "changed_by", c.change(booted))
	}
	if c.source == Unknown {
		c.signal()
	}
	c.source, c.booted = from, booted
}

func (c *Clock) change(booted time.Time) time.Duration {
	if c.source == Unknown {
		return 0
	}
	return booted.Sub(c.bootTime())
}

// Learn takes what a collector's clock said at most took ago.
func (c *Clock) Learn(server time.Time, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if server.Before(c.cfg.Built) || took < 0 {
		c.log.Warn("the collector's clock is not believed", "says", server, "program_built", c.cfg.Built)
		return
	}
	at, bound := c.m.boot(), took/2
	booted := server.Add(bound - at).UTC()
	known := c.source != Unknown
	if known {
		c.offset, c.heard = booted.Sub(c.bootTime()), true
		c.compare(bound)
	}
	switch {
	case c.source == Operator, c.source == NTP && c.synced:
		return
	case !known, c.source == Saved:
	case c.offset.Abs() > c.cfg.Tolerance+bound+c.aged(at):
		if booted.Sub(c.doubt).Abs() > c.cfg.Tolerance+bound {
			c.doubt = booted // wait for another one that says so
			return
		}
	case bound > c.aged(at):
		return // what is known is better
	}
	c.know(Server, booted)
	c.bound, c.at, c.offset, c.heard = bound, at, 0, true
}

// aged is the error of what a collector said, by now. The caller holds mu.
func (c *Clock) aged(boot time.Duration) time.Duration {
	return c.bound + (boot-c.at)*driftPPM/1e6
}

// compare warns, once, of a difference that a measurement with that bound proves. The
// caller holds mu.
func (c *Clock) compare(bound time.Duration) {
	differ := c.offset.Abs() > c.cfg.Tolerance+bound
	if differ && !c.warned {
		c.log.Warn("the collector's clock differs from ours", "by", c.offset, "ours_from", string(c.source))
	}
	c.warned = differ
}
