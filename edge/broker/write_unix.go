//go:build unix

package broker

import (
	"errors"
	"syscall"
	"time"
)

// writeNow writes as much as the connection takes without waiting. Nobody else may be
// writing.
func (c *conn) writeNow(b []byte) (n int, err error) {
	plain, ok := c.Conn.(syscall.Conn)
	if !ok {
		return 0, nil // TLS, for example
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return 0, err
	}
	_ = c.SetWriteDeadline(time.Now().Add(c.writeTimeout))
	outer := raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), b)
		return true
	})
	n = max(n, 0)
	switch {
	case outer != nil:
		return n, outer
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return n, nil
	case err != nil:
		_ = c.Close()
	}
	return n, err
}
