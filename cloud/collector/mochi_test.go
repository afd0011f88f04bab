package collector_test

import (
	"log/slog"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/2zrhun/city-flow/shared/wire"
)

// embeddedBroker is the broker that one process carries in itself, at its defaults.
func embeddedBroker(t *testing.T) string {
	t.Helper()
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "t", Address: "127.0.0.1:0"})
	if err := s.AddListener(l); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return l.Address()
}

// The other broker that people run us with: shared subscriptions, kept sessions and
// acknowledgements work alike.
func TestOnEmbeddedBroker(t *testing.T) {
	addr := embeddedBroker(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	e := connect(t, addr, "e")
	for seq := uint64(1); seq <= 100; seq++ {
		e.sendBatch(t, batch("e", seq, 20))
	}
	for seq := uint64(1); seq <= 100; seq++ {
		e.awaitAck(t, 7, seq)
	}
	e.send(t, "cityflow/traffic/X", sensorJSON("X", begin()))
	eventually(t, "the sensor's reading is stored", func() bool { return st.count() == 2001 })
	c.balanced(t)
	c.stop()

	e.sendBatch(t, batch("e", 101, 20)) // while there is no collector
	time.Sleep(100 * time.Millisecond)
	run(t, addr, st, nil, nil).ready(t)
	e.awaitAck(t, 7, 101)
	e.send(t, wire.BatchTopic("e"), []byte("garbage"))
	eventually(t, "the poison is kept", func() bool { return len(st.rejections()) == 1 })
}
