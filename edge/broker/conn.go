package broker

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// A conn is one client's connection as mochi sees it. It takes the intake's messages out
// of the stream before mochi reads them, many at a time and without copies, and leaves
// mochi everything else: what mochi reads is the same stream with whole packets missing.
// Mochi has dealt with all packets before when it asks for the next, so the order stays.
//
// It also gives every write a deadline. Mochi sets one deadline for both directions,
// as long as the keep-alive and none without it, so that a client that does not
// read could hold a writer for ever.
type conn struct {
	net.Conn
	b            *Broker
	writeTimeout time.Duration
	// local says that the client is on this machine.
	local bool
	// who is set when the client has logged in.
	who atomic.Pointer[identity]

	// All below belongs to the goroutine that reads.

	// client is set once mochi has established the session; before, mochi reads
	// everything itself.
	client  *mqtt.Client
	session *session
	in      inbox
	// pass is how many bytes of the packet that mochi is reading are still to come.
	pass int
	// topics remembers what was found out about the topics of this connection.
	topics map[string]*topic
	// group gathers the intake messages of one look into the inbox.
	group []pending
	// fresh says that packets have come since the deadline was set.
	fresh bool
}

// attach begins to take messages out of the stream.
func (c *conn) attach(cl *mqtt.Client) { c.client = cl }

// Read gives mochi the next bytes that are not the intake's, of one packet at a time.
func (c *conn) Read(p []byte) (int, error) {
	for c.pass == 0 {
		if err := c.advance(); err != nil {
			return 0, err
		}
	}
	if len(p) > c.pass {
		p = p[:c.pass]
	}
	n := c.in.take(p)
	if n == 0 {
		var err error
		if n, err = c.Conn.Read(p); err != nil {
			return n, err
		}
	}
	c.pass -= n
	return n, nil
}

// advance hands the intake its messages that have come, and notes in pass how long the
// packet is that follows; when none follows yet, it waits for more to come.
func (c *conn) advance() error {
	for {
		size, whole := packetSize(c.in.bytes())
		switch {
		case size < 0: // nonsense: mochi shall say so
			c.pass = len(c.in.bytes())
		case size > 0 && !c.mayTake(c.in.bytes()[0], size):
			c.pass = size
		case whole:
			if c.collect(c.in.bytes()[:size]) {
				c.in.skip(size)
				continue
			}
			c.pass = size
		}
		if !c.handOver() {
			return io.EOF
		}
		if c.pass > 0 {
			return nil
		}
		c.refresh()
		if err := c.in.fill(c.Conn, size); err != nil {
			return err
		}
	}
}

// mayTake reports whether a packet, of which only the beginning may be here, can be a
// message that is taken out of the stream.
func (c *conn) mayTake(first byte, size int) bool {
	return c.client != nil && first>>4 == publishType && size <= maxInbox && size <= int(c.b.cfg.MaxPacketBytes)
}

// collect adds a whole PUBLISH to the group, or reports that it is mochi's: it is not
// for the intake, or in some way unusual.
func (c *conn) collect(packet []byte) bool {
	m, ok := parsePublish(packet, c.client.Properties.ProtocolVersion)
	if !ok || c.client.State.Inflight.Len() > 0 {
		return false
	}
	t := c.topic(m.rawTopic)
	if t == nil || !c.b.hook.OnACLCheck(c.client, t.name, true) {
		return false
	}
	m.topic, m.heard = t.name, t.heard
	c.group = append(c.group, m)
	return true
}

// handOver gives the group to the session; false says that the connection has ended.
func (c *conn) handOver() bool {
	if len(c.group) == 0 {
		return true
	}
	if c.session == nil {
		c.session = c.b.hook.session(c.client)
	}
	bytes := 0
	for i := range c.group {
		bytes += len(c.group[i].payload)
	}
	info := c.b.server.Info
	atomic.AddInt64(&info.PacketsReceived, int64(len(c.group)))
	atomic.AddInt64(&info.MessagesReceived, int64(len(c.group)))
	atomic.AddInt64(&info.BytesReceived, int64(bytes))
	open := c.session.take(c.group)
	clear(c.group) // the payloads are the inbox's
	c.group = c.group[:0]
	c.fresh = true
	return open
}

// refresh prolongs the deadline for reading after packets that mochi did not see, as
// mochi does after those that it sees.
func (c *conn) refresh() {
	if !c.fresh {
		return
	}
	c.fresh = false
	var deadline time.Time
	if keepalive := c.client.State.Keepalive; keepalive > 0 {
		deadline = time.Now().Add(time.Duration(keepalive) * time.Second * 3 / 2)
	}
	_ = c.SetReadDeadline(deadline)
}

func (c *conn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(c.writeTimeout))
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // half a packet may be out: nothing sensible can follow
	}
	return n, err
}

// SetDeadline sets the deadline for reading only.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// A topic is what a connection knows about one of the intake's topics.
type topic struct {
	name string
	// heard says whether somebody had subscribed to it when the broker's
	// subscriptions had their version.
	heard   bool
	version uint64
}

// maxTopics bounds the topics that one connection remembers.
const maxTopics = 64

// topic looks a name up; nil says that it is not the intake's.
func (c *conn) topic(raw []byte) *topic {
	version := c.b.hook.version.Load()
	t := c.topics[string(raw)]
	if t == nil {
		name := string(raw)
		if !plainTopic(name) || !c.b.intake.Match(name) {
			return nil
		}
		if c.topics == nil || len(c.topics) >= maxTopics {
			c.topics = make(map[string]*topic, 1)
		}
		t = &topic{name: name, version: version, heard: c.b.heard(name)}
		c.topics[name] = t
	}
	if t.version != version {
		t.version, t.heard = version, c.b.heard(t.name)
	}
	return t
}

// An inbox holds the bytes of a connection that nobody has dealt with. Its buffer is
// small while little comes, because most connections are idle most of the time.
type inbox struct {
	buf        []byte
	begin, end int
	// streaming says that the last read brought much.
	streaming bool
}

// The sizes of an inbox. A packet that is longer than the largest is mochi's.
const (
	smallInbox  = 512
	streamInbox = 16 << 10
	maxInbox    = 64 << 10
)

// streamBuffers are the inboxes of connections that send much.
var streamBuffers = sync.Pool{New: func() any { return new([streamInbox]byte) }}

func (in *inbox) bytes() []byte { return in.buf[in.begin:in.end] }

func (in *inbox) skip(n int) { in.begin += n }

// take moves bytes into p.
func (in *inbox) take(p []byte) int {
	n := copy(p, in.bytes())
	in.begin += n
	return n
}

// fill waits for more bytes, with room for a packet of a size that has begun.
func (in *inbox) fill(from io.Reader, size int) error {
	in.makeRoom(size)
	n, err := from.Read(in.buf[in.end:])
	in.end += n
	in.streaming = n >= smallInbox || in.end == len(in.buf)
	if n > 0 {
		return nil
	}
	return err
}

// makeRoom chooses the buffer for the next read and moves what is left to its begin.
func (in *inbox) makeRoom(size int) {
	want := smallInbox
	switch {
	case size > streamInbox:
		want = maxInbox
	case in.streaming || size > smallInbox:
		want = streamInbox
	}
	left := in.bytes()
	if want == len(in.buf) || len(left) > want {
		in.end = copy(in.buf, left)
		in.begin = 0
		return
	}
	old := in.buf
	if want == streamInbox {
		in.buf = streamBuffers.Get().(*[streamInbox]byte)[:]
	} else {
		in.buf = make([]byte, want)
	}
	in.end = copy(in.buf, left)
	in.begin = 0
	if len(old) == streamInbox {
		streamBuffers.Put((*[streamInbox]byte)(old))
	}
}
