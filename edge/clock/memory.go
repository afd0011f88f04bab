package clock

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/2zrhun/city-flow/shared/atomicfile"
)

// A memory is what the file says.
type memory struct {
	// Boot is the boot in which Booted was known, Known the time when it was written.
	Boot   string    `json:"boot_id"`
	Booted time.Time `json:"booted_at"`
	Known  time.Time `json:"known_at"`
}

// recall reads the file. One that cannot be read is as good as none.
func (c *Clock) recall() {
	if c.cfg.Path == "" {
		return
	}
	var m memory
	content, err := os.ReadFile(c.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(content, &m)
	}
	if err != nil {
		c.log.Warn("cannot read the last known time", "file", c.cfg.Path, "error", err)
		return
	}
	c.floor = m.Known
	if m.Boot == c.bootName() && !m.Booted.Before(time.Unix(0, 0)) && m.Known.After(c.cfg.Built) {
		c.source, c.booted = Saved, m.Booted.UTC()
	}
}

func (c *Clock) bootName() string { return hex.EncodeToString(c.m.id[:]) }

// keep saves what is known when that is news, or long ago.
func (c *Clock) keep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saved != 0 && c.m.boot()-c.saved < c.cfg.SaveInterval {
		return
	}
	if err := c.save(); err != nil {
		c.log.Warn("cannot keep the time", "error", err)
		c.saved = c.m.boot() // not every second
	}
}

// save writes the file anew. The caller holds mu.
func (c *Clock) save() error {
	now, known := c.read()
	if !known || c.cfg.Path == "" {
		return nil
	}
	content, err := json.Marshal(memory{Boot: c.bootName(), Booted: c.bootTime(), Known: now})
	if err != nil {
		return fmt.Errorf("save clock: %w", err)
	}
	err = atomicfile.Write(c.cfg.Path, append(content, '\n'), 0o640)
	if err != nil {
		return fmt.Errorf("save clock: %w", err)
	}
	c.saved = c.m.boot()
	return nil
}
