package broker

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Config is what a broker may be told. Start from Default.
type Config struct {
	// Addr is the TCP address to listen on, host:port. Port 0 takes a free one.
	Addr string
	// Users are passwords by user name, of clients that may do what UserRole may.
	// Clients on other machines must be among them or in UsersFile, or have a
	// certificate; clients on this machine may also come without a name.
	Users    map[string]string
	UserRole Role
	// UsersFile holds more users, with hashed passwords and rights of their own; see
	// AddUser. It is read again when it changes.
	UsersFile string
	// TLS is a second port.
	TLS TLS
	// MaxPacketBytes bounds one MQTT packet.
	MaxPacketBytes uint32
	// MaxWaiting is how many intake messages of one client may wait for their
	// acknowledgement. MQTT 5 clients are told as Receive Maximum and cut off beyond
	// it; from others the broker stops reading until there is room.
	MaxWaiting uint16
	// MaxWaitingBytes bounds the payloads of all waiting intake messages
	// together; beyond it the broker stops reading.
	MaxWaitingBytes int64
	// MaxClients bounds the sessions, connected or kept.
	MaxClients int
	// MaxOutbound is how many messages may be queued for one slow subscriber;
	// further ones are dropped and counted.
	MaxOutbound int
	// MaxUnacked is how many QoS 1 and 2 messages may be on their way to one subscriber,
	// which also bounds what is kept for it while it is away.
	MaxUnacked uint16
	// MaxRetained bounds the retained messages; a message on a new topic beyond
	// it is delivered and not retained.
	MaxRetained int
	// SessionExpiry is how long the session of a client that went away is kept.
	SessionExpiry time.Duration
	// ConnectTimeout is how long a new connection may take to say CONNECT.
	ConnectTimeout time.Duration
	// WriteTimeout is how long a client may take to accept a packet before its
	// connection is closed.
	WriteTimeout time.Duration
	// FailurePause is how long a connection stays open, unheard, after a message
	// could not be kept, so that its client does not come back in a tight loop.
	FailurePause time.Duration
}

// Default returns a configuration for an edge with up to 1,000 sensors.
func Default() Config {
	return Config{
		Addr:            "127.0.0.1:1883",
		UserRole:        RoleAll,
		TLS:             TLS{Role: RoleSensor, CheckEvery: 5 * time.Second},
		MaxPacketBytes:  1<<20 + 64<<10, // a full batch and its topic
		MaxWaiting:      1024,
		MaxWaitingBytes: 8 << 20,
		MaxClients:      4096,
		MaxOutbound:     4096,
		MaxUnacked:      1024,
		MaxRetained:     100_000,
		SessionExpiry:   time.Hour,
		ConnectTimeout:  10 * time.Second,
		WriteTimeout:    10 * time.Second,
		FailurePause:    time.Second,
	}
}

// Validate returns an error that names each setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		errs = append(errs, fmt.Errorf("addr: %q is not allowed: want host:port", c.Addr))
	}
	errs = append(errs, c.UserRole.check("user role"), c.TLS.validate())
	positive := func(name string, v int64) {
		if v <= 0 {
			errs = append(errs, fmt.Errorf("%s: %d is not allowed: want more than 0", name, v))
		}
	}
	positive("max waiting", int64(c.MaxWaiting))
	positive("max clients", int64(c.MaxClients))
	positive("max outbound", int64(c.MaxOutbound))
	positive("max unacked", int64(c.MaxUnacked))
	positive("max retained", int64(c.MaxRetained))
	positive("session expiry", int64(c.SessionExpiry))
	positive("connect timeout", int64(c.ConnectTimeout))
	positive("write timeout", int64(c.WriteTimeout))
	if c.MaxPacketBytes < 128 {
		errs = append(errs, fmt.Errorf("max packet: %d bytes is not allowed: want at least 128", c.MaxPacketBytes))
	}
	if c.MaxWaitingBytes < int64(c.MaxPacketBytes) {
		errs = append(errs, fmt.Errorf("max waiting bytes: %d is not allowed: want at least one packet of %d",
			c.MaxWaitingBytes, c.MaxPacketBytes))
	}
	return errors.Join(errs...)
}
