package broker

import (
	"log/slog"
	"net"
	"testing"
)

type addrs struct {
	net.Conn
	local, remote string
}

func (a addrs) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.ParseIP(a.local), Port: 1883} }
func (a addrs) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.remote), Port: 40000} }

func TestWhoIsOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		local, remote string
		want          bool
	}{
		{"127.0.0.1", "127.0.0.1", true},
		{"::1", "::1", true},
		{"192.168.1.5", "192.168.1.5", true},
		{"192.168.1.5", "192.168.1.6", false},
		{"2001:db8::1", "2001:db8::2", false},
	} {
		if got := sameMachine(addrs{local: c.local, remote: c.remote}); got != c.want {
			t.Errorf("from %s to %s: got %v", c.remote, c.local, got)
		}
	}
}

func newPlainGuard(t *testing.T, users map[string]string) *guard {
	t.Helper()
	cfg := Default()
	cfg.Users = users
	g, err := newGuard(&cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuard(t *testing.T) {
	users := map[string]string{"sensor": "secret"}
	for _, c := range []struct {
		about          string
		users          map[string]string
		local          bool
		name, password string
		want           bool
	}{
		{"nobody configured, this machine", nil, true, "", "", true},
		{"nobody configured, this machine, with a name", nil, true, "x", "y", true},
		{"nobody configured, another machine", nil, false, "", "", false},
		{"nobody configured, another machine, with a name", nil, false, "x", "y", false},
		{"users, this machine, anonymous", users, true, "", "", true},
		{"users, another machine, anonymous", users, false, "", "", false},
		{"users, right password", users, false, "sensor", "secret", true},
		{"users, wrong password", users, false, "sensor", "Secret", false},
		{"users, wrong password on this machine", users, true, "sensor", "", false},
		{"users, unknown name", users, false, "nobody", "", false},
	} {
		if _, why := newPlainGuard(t, c.users).admit(login{local: c.local, name: c.name, password: []byte(c.password)}); (why == "") != c.want {
			t.Errorf("%s: got %q", c.about, why)
		}
	}
}
