package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/broker"
)

func TestPlainTraffic(t *testing.T) {
	b := start(t, testConfig(), broker.Intake{})
	if err := b.Publish(broker.Message{Topic: "cityflow/score/R1", Payload: []byte("0.5"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	sub := dial(t, b.Addr(), connectOptions{id: "sub", version: 5, keep: true})
	sub.subscribe("cityflow/score/+", 1)
	if pk := sub.expect(packets.Publish); string(pk.Payload) != "0.5" || !pk.FixedHeader.Retain {
		t.Errorf("retained: got %q, retain %v", pk.Payload, pk.FixedHeader.Retain)
	}
	sub.conn.Close()
	time.Sleep(quiet)

	pub := dial(t, b.Addr(), connectOptions{id: "pub", version: 4})
	pub.publish("cityflow/score/R1", 1, 1, "0.6")
	pub.expectAck(packets.Puback, 1)
	back := dial(t, b.Addr(), connectOptions{id: "sub", version: 5, keep: true})
	if pk := back.expect(packets.Publish); string(pk.Payload) != "0.6" {
		t.Errorf("the kept session got %q", pk.Payload)
	}
}

func TestSharedSubscription(t *testing.T) {
	b := start(t, testConfig(), broker.Intake{})
	const members, messages = 3, 60
	got := make(chan string, messages*members)
	for i := range members {
		c := dial(t, b.Addr(), connectOptions{id: fmt.Sprintf("collector-%d", i), version: 4})
		c.subscribe("$share/collector/cityflow/edge/+/batch", 1)
		go func() {
			for {
				pk, err := c.read(patience)
				if err != nil {
					return
				}
				got <- string(pk.Payload)
			}
		}()
	}
	pub := dial(t, b.Addr(), connectOptions{id: "edge", version: 4})
	want := map[string]bool{}
	for i := range uint16(messages) {
		pub.publish("cityflow/edge/E1/batch", 1, i+1, fmt.Sprint(i))
		want[fmt.Sprint(i)] = true
	}
	for range messages {
		select {
		case p := <-got:
			if !want[p] {
				t.Errorf("message %s came twice", p)
			}
			delete(want, p)
		case <-time.After(patience):
			t.Fatalf("%d messages were not delivered", len(want))
		}
	}
}

func TestBusyPort(t *testing.T) {
	first := start(t, testConfig(), broker.Intake{})
	cfg := testConfig()
	cfg.Addr = first.Addr()
	_, err := broker.New(cfg, broker.Intake{}, nil, prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), first.Addr()) || !strings.Contains(err.Error(), "stop it, or give") {
		t.Errorf("the error does not name the address and what to do: %v", err)
	}
}

func TestUsers(t *testing.T) {
	cfg := testConfig()
	cfg.Users = map[string]string{"sensor": "secret"}
	b := start(t, cfg, broker.Intake{})
	dial(t, b.Addr(), connectOptions{id: "a", version: 5, user: "sensor", password: "secret"})
	dial(t, b.Addr(), connectOptions{id: "b", version: 5}) // this machine, no name
	c := dialRaw(t, b.Addr(), 5)
	ack := c.connect(connectOptions{id: "c", version: 5, user: "sensor", password: "guess"})
	if ack.ReasonCode != packets.ErrBadUsernameOrPassword.Code {
		t.Errorf("a wrong password is answered with %#x", ack.ReasonCode)
	}
	c.expectEnd()
}

// Mochi 2.7.9 panics on a SUBSCRIBE that ends early (its issue 501).
func TestPanicCostsOneConnection(t *testing.T) {
	b := start(t, testConfig(), broker.Intake{})
	good := dial(t, b.Addr(), connectOptions{id: "good", version: 5})
	good.subscribe("news", 0)
	bad := dial(t, b.Addr(), connectOptions{id: "bad", version: 5})
	bad.subscribe("news", 0)
	whole := encode(t, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: "a"}},
	}, 5)
	cut := append([]byte{whole[0], whole[1] - 1}, whole[2:len(whole)-1]...)
	if _, err := bad.conn.Write(cut); err != nil {
		t.Fatal(err)
	}
	bad.expectEnd()
	pub := dial(t, b.Addr(), connectOptions{id: "pub", version: 4})
	pub.publish("news", 0, 0, "still here")
	good.expect(packets.Publish)
}

// A client that sends and never reads, neither acknowledgements nor what it subscribed
// to, is cut off and holds nobody else up.
func TestDeafClient(t *testing.T) {
	cfg := testConfig()
	cfg.WriteTimeout = 300 * time.Millisecond
	b := start(t, cfg, broker.Intake{
		Match:  func(topic string) bool { return strings.HasPrefix(topic, "cityflow/traffic/") },
		Handle: func(_ string, _ []byte, done func(error)) { done(nil) },
	})
	deaf := dial(t, b.Addr(), connectOptions{id: "deaf", version: 4})
	deaf.subscribe("cityflow/traffic/#", 1)
	ended := make(chan error, 1)
	go func() {
		one := encode(t, packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, TopicName: topic, PacketID: 1, Payload: make([]byte, 100_000),
		}, 4)
		for {
			_ = deaf.conn.SetWriteDeadline(time.Now().Add(patience))
			if _, err := deaf.conn.Write(one); err != nil {
				ended <- err
				return
			}
		}
	}()
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	for i := range uint16(200) {
		c.publish(topic, 1, i+1, "x")
		c.expectAck(packets.Puback, i+1)
	}
	select {
	case err := <-ended:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the deaf client is still connected")
		}
	case <-time.After(2 * patience):
		t.Error("the deaf client can still send")
	}
}

func TestSilentConnectionIsClosed(t *testing.T) {
	cfg := testConfig()
	cfg.ConnectTimeout = 100 * time.Millisecond
	b := start(t, cfg, broker.Intake{})
	dialRaw(t, b.Addr(), 4).expectEnd()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for b.Clients() > 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if b.Clients() != 0 {
		t.Error("the connection is still counted")
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	cfg := broker.Default()
	cfg.Addr, cfg.MaxClients, cfg.MaxWaitingBytes = "nowhere", 0, 10
	err := cfg.Validate()
	for _, want := range []string{`"nowhere"`, "max clients: 0", "max waiting bytes: 10"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}
	good := broker.Default()
	if err := good.Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}
