package doctor

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// freeBytes is what this user may still write to the disk of a folder.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// examineClock asks the kernel whether something keeps the clock right.
func (r *report) examineClock() {
	const name = "clock"
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	now := time.Now().UTC().Format(time.RFC3339)
	switch {
	case err != nil:
		r.add(Warn, name, "the kernel does not tell: "+err.Error(), "compare "+now+" with a good clock")
	case t.Status&unix.STA_UNSYNC != 0:
		r.add(Warn, name, "nothing keeps it right; it says "+now,
			"let NTP do so (timedatectl set-ntp true); until then readings are stamped with the time of the centre, once that has been heard")
	default:
		r.ok(name, "synchronised, within %s; it says %s", round(time.Duration(t.Maxerror)*time.Microsecond), now)
	}
}
