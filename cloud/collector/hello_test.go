package collector_test

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// hello sends one and returns the answer.
func (e *edge) hello(t *testing.T) *wire.Ack {
	t.Helper()
	payload, err := wire.EncodeHello(e.id)
	if err != nil {
		t.Fatal(err)
	}
	before := len(e.answers())
	e.send(t, wire.BatchTopic(e.id), payload)
	eventually(t, "the hello is answered", func() bool { return len(e.answers()) > before })
	return e.answers()[before]
}

// A hello is answered with the time and the window and leaves no trace.
func TestHello(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, func(c *collector.Config) { c.Window = 24 }).ready(t)
	e := connect(t, addr, "e")
	a := e.hello(t)
	if len(a.Seqs) != 0 || a.Window != 24 || time.Since(a.ServerTime).Abs() > time.Minute {
		t.Errorf("answer %+v, want no batches, window 24 and the time", a)
	}
	if st.appends != 0 {
		t.Errorf("%d transactions for a hello", st.appends)
	}
	st.setFail(func(context.Context, store.Delivery) error { return errors.New("no database") })
	e.sendBatch(t, batch("e", 1, 1))
	eventually(t, "the store is missed", func() bool { return c.StoreReady(t.Context()) != nil })
	if a := e.hello(t); a.Window != 0 {
		t.Errorf("window %d while nothing can be stored, want 0", a.Window)
	}
	st.setFail(nil)
	e.awaitAck(t, 7, 1)
	c.balanced(t)
}

// A batch that was damaged on its edge's disk is kept as a rejection, and its edge is
// told to forget it.
func TestDamagedBatchIsAcknowledged(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	payload, err := wire.EncodeBatch(batch("e", 5, 20))
	if err != nil {
		t.Fatal(err)
	}
	payload[len(payload)-3] ^= 0x10
	e.send(t, wire.BatchTopic("e"), payload)
	e.awaitAck(t, 7, 5)
	if r := st.rejections(); len(r) != 1 || r[0].Edge != "e" || r[0].Reason != traffic.ReasonParse {
		t.Errorf("rejections %+v, want one of edge e", r)
	}
	if len(st.batches) != 0 {
		t.Errorf("a rejected batch is recorded as received: %v", st.batches)
	}
	c.balanced(t)
}

// A batch of a format that does not exist yet stays with its edge.
func TestNewerBatchIsLeft(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	newer, err := wire.EncodeBatch(batch("e", 5, 20))
	if err != nil {
		t.Fatal(err)
	}
	newer[2]++ // the version; docs/formats/wire.md
	binary.BigEndian.PutUint32(newer[23:], crc32.Checksum(newer[:23], crc32.MakeTable(crc32.Castagnoli)))
	e.send(t, wire.BatchTopic("e"), newer)
	e.sendBatch(t, batch("e", 6, 20))
	e.awaitAck(t, 7, 6)
	if n := e.acked(7, 5); n != 0 || len(st.rejections()) != 0 {
		t.Errorf("acknowledged %d times, rejections %v; want neither", n, st.rejections())
	}
	if n := c.metric(t, "cityflow_collector_newer_batches_total"); n != 1 {
		t.Errorf("newer_batches_total %g, want 1", n)
	}
}

// What an edge lost is stored with the batch that tells of it.
func TestGapsAreStored(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	b := batch("e", 9, 1)
	b.Gaps = []traffic.Gap{{Cause: traffic.GapEvicted, Epoch: 7, FirstSeq: 1, LastSeq: 8, From: begin(), To: begin().Add(time.Hour), Readings: 160, Noticed: begin().Add(2 * time.Hour)}}
	e.sendBatch(t, b)
	e.awaitAck(t, 7, 9)
	st.mu.Lock()
	defer st.mu.Unlock()
	want := b.Gaps[0]
	want.Edge = "e"
	if len(st.gaps) != 1 || st.gaps[0] != want {
		t.Errorf("gaps %+v, want %+v", st.gaps, want)
	}
}
