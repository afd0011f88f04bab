package auth

import (
	"sync"
	"time"
)

// CodeTTL is how long a login code works.
const CodeTTL = 10 * time.Minute

// maxCodes bounds the codes that wait to be used; the oldest goes first.
const maxCodes = 100

type waitingCode struct {
	hash    string
	user    int64
	expires time.Time
}

// codes are the one-time login codes of this process, oldest first.
type codes struct {
	now func() time.Time

	mu      sync.Mutex
	waiting []waitingCode
}

func (c *codes) add(user int64) string {
	code := randomToken()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == maxCodes {
		c.waiting = append(c.waiting[:0], c.waiting[1:]...)
	}
	c.waiting = append(c.waiting, waitingCode{hashToken(code), user, c.now().Add(CodeTTL)})
	return code
}

// take uses up the code and returns its user.
func (c *codes) take(code string) (int64, bool) {
	hash, now := hashToken(code), c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.waiting {
		if w.hash == hash {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return w.user, now.Before(w.expires)
		}
	}
	return 0, false
}
