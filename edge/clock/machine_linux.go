package clock

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// thisMachine asks the kernel.
func thisMachine() (machine, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return machine{}, fmt.Errorf("read boot id: %w", err)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(raw) != len(BootID{}) {
		return machine{}, fmt.Errorf("read boot id: %q is not a UUID", text)
	}
	if _, err := sinceBoot(); err != nil {
		return machine{}, fmt.Errorf("read boot clock: %w", err)
	}
	return machine{id: BootID(raw), wall: time.Now, boot: bootClock, synced: synchronised}, nil
}

func sinceBoot() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano()), err
}

// bootClock cannot fail where it worked once.
func bootClock() time.Duration {
	d, _ := sinceBoot()
	return d
}

// synchronised reports whether something disciplines the machine's clock. Asking needs no
// rights.
func synchronised() bool {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false
	}
	return t.Status&unix.STA_UNSYNC == 0
}
