package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
)

// A guard decides who may connect.
type guard struct {
	users map[string][sha256.Size]byte
}

func newGuard(users map[string]string) *guard {
	g := &guard{users: make(map[string][sha256.Size]byte, len(users))}
	for name, password := range users {
		g.users[name] = sha256.Sum256([]byte(password))
	}
	return g
}

// admit returns "" or, in words for the log, why a client is refused.
func (g *guard) admit(local bool, name string, password []byte) string {
	if len(g.users) == 0 {
		if local {
			return ""
		}
		return "no users are configured, so only clients on this machine are served: configure a user for this client"
	}
	if name == "" && local {
		return ""
	}
	if name == "" {
		return "clients on other machines need a user name and a password"
	}
	want, known := g.users[name]
	got := sha256.Sum256(password)
	// Compare in any case, so that the time taken does not tell which names exist.
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 || !known {
		return "wrong user name or password"
	}
	return ""
}

// sameMachine reports whether the other end of a connection is on this machine: it
// has a loopback address, or dialled one of our addresses from that very address.
func sameMachine(c net.Conn) bool {
	remote, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	local, ok := c.LocalAddr().(*net.TCPAddr)
	return remote.IP.IsLoopback() || (ok && remote.IP.Equal(local.IP))
}
