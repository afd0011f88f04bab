package broker

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Acknowledgements that the connection does not take at once are written when it does, whole
// and in order, and whoever finishes messages does not wait for it.
func TestAcknowledgeSlowReader(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing to wait for
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.DialTimeout("tcp", ln.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	c := testConn(t, near, 4, func([]Message, func(error)) {})
	c.writeTimeout = time.Minute
	s := newSession(c.b, c.client)
	const groups, each = 40, 60_000 // more than any socket buffer holds
	for n := range groups {
		g := &group{s: s, count: each}
		for i := range each {
			g.acks = append(g.acks, ack{packets.Puback, uint16(n*each + i)})
		}
		c.b.door.enter(each)
		s.mu.Lock()
		s.outstanding += each
		s.mu.Unlock()
		g.finish(nil) // must return although nobody reads
	}
	all := make([]byte, groups*each*4)
	_ = far.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(far, all); err != nil {
		t.Fatal(err)
	}
	for i := range groups * each {
		if a := all[4*i : 4*i+4]; a[0] != packets.Puback<<4 || a[1] != 2 || binary.BigEndian.Uint16(a[2:]) != uint16(i) {
			t.Fatalf("acknowledgement %d is % x", i, a)
		}
	}
	if err := c.b.door.close(t.Context()); err != nil {
		t.Error(err)
	}
	if s.outstanding != 0 {
		t.Errorf("%d messages are outstanding", s.outstanding)
	}
}

// A client that has gone takes nothing with it.
func TestAcknowledgeClosed(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	c := testConn(t, near, 4, func([]Message, func(error)) {})
	s := newSession(c.b, c.client)
	for _, err := range []error{nil, errors.New("disk full"), nil} {
		c.b.door.enter(1)
		s.mu.Lock()
		s.outstanding++
		s.mu.Unlock()
		(&group{s: s, count: 1, acks: []ack{{packets.Puback, 1}}}).finish(err)
	}
	if err := c.b.door.close(t.Context()); err != nil {
		t.Error(err)
	}
}
