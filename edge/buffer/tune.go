package buffer

import "time"

// A Tuning is what may be changed while a buffer is open.
type Tuning struct {
	CommitInterval time.Duration
	MaxBytes       int64
}

// Tune changes a buffer's settings. An error names what is not allowed; then nothing has
// changed.
func (b *Buffer) Tune(t Tuning) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg := b.cfg
	cfg.CommitInterval, cfg.MaxBytes = t.CommitInterval, t.MaxBytes
	if err := cfg.Validate(); err != nil {
		return err
	}
	b.cfg.CommitInterval, b.cfg.MaxBytes = t.CommitInterval, t.MaxBytes
	b.signal()
	b.lookAfterSpace()
	return nil
}
