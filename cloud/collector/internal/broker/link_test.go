package broker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box takes what it has room for.
type box struct {
	mu    sync.Mutex // guards everything declared below
	room  int
	taken []Message
}

func (b *box) Offer(m Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.taken) >= b.room {
		return false
	}
	b.taken = append(b.taken, m)
	return true
}

func (b *box) Roomy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.taken) < b.room
}

func (b *box) grow(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.room += n
}

// empty acknowledges and returns what was taken.
func (b *box) empty() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var payloads []string
	for _, m := range b.taken {
		m.Ack()
		payloads = append(payloads, string(m.Payload))
	}
	b.taken = nil
	return payloads
}

// start runs a link until the test ends; change may adjust it before.
func start(t *testing.T, cfg Config, to Receiver, change func(*Link)) *Link {
	t.Helper()
	if cfg.ClientID == "" {
		cfg.ClientID = "test"
	}
	cfg.Filters = append(cfg.Filters, "in/+")
	l := New(cfg, to, slog.New(slog.NewTextHandler(t.Output(), nil)), NewMetrics(prometheus.NewRegistry(), "test")[0])
	if change != nil {
		change(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v in vain until %s", patience, what)
}

func connected(l *Link) func() bool { return func() bool { return l.Connected() == nil } }

func client(t *testing.T, addr string) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("other"))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func send(t *testing.T, c mqtt.Client, payload string) {
	t.Helper()
	if tok := c.Publish("in/x", 1, false, payload); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("publish: %v", tok.Error())
	}
}

// What was not acknowledged comes again with the next connection, what was does not.
func TestUnacknowledgedComesAgain(t *testing.T) {
	server := rig.StartMosquitto(t)
	other := client(t, server.Addr())
	first := &box{room: 10}
	t.Run("first", func(t *testing.T) {
		l := start(t, Config{URL: "tcp://" + server.Addr()}, first, nil)
		eventually(t, "it is connected", connected(l))
		send(t, other, "acknowledged")
		eventually(t, "the first message is taken", func() bool { return !first.Roomy() || len(first.empty()) == 1 })
		send(t, other, "not acknowledged")
		eventually(t, "the second message is taken", func() bool {
			first.mu.Lock()
			defer first.mu.Unlock()
			return len(first.taken) == 1
		})
	})
	send(t, other, "sent in between")
	second := &box{room: 10}
	l := start(t, Config{URL: "tcp://" + server.Addr()}, second, nil)
	eventually(t, "it is connected", connected(l))
	var got []string
	eventually(t, "the rest arrives", func() bool { got = append(got, second.empty()...); return len(got) >= 2 })
	if fmt.Sprint(got) != "[not acknowledged sent in between]" {
		t.Errorf("got %q", got)
	}
	for _, m := range first.taken { // acknowledging on an old connection does no harm
		m.Ack()
	}
}

// Messages there was no room for are fetched when there is.
func TestNoRoom(t *testing.T) {
	addr := rig.Mosquitto(t)
	b := &box{}
	l := start(t, Config{URL: "tcp://" + addr}, b, nil)
	eventually(t, "it is connected", connected(l))
	other := client(t, addr)
	send(t, other, "one")
	send(t, other, "two")
	eventually(t, "messages are refused", l.refused.Load)
	b.grow(1)
	seen := map[string]bool{}
	eventually(t, "both arrive", func() bool {
		for _, p := range b.empty() {
			seen[p] = true
		}
		return len(seen) == 2
	})
}

// With a clean session the sender keeps what we have no room for: the broker is not
// held up by it, and does not bring it again.
func TestNoRoomOnACleanSession(t *testing.T) {
	addr := rig.Mosquitto(t)
	b := &box{}
	l := start(t, Config{URL: "tcp://" + addr, Clean: true}, b, nil)
	eventually(t, "it is connected", connected(l))
	other := client(t, addr)
	for i := range 100 { // more than Mosquitto leaves unanswered
		send(t, other, fmt.Sprint("early ", i))
	}
	b.grow(1)
	send(t, other, "after")
	var got []string
	eventually(t, "the next message arrives", func() bool { got = append(got, b.empty()...); return len(got) > 0 })
	if got[0] != "after" && !strings.HasPrefix(got[0], "early") {
		t.Errorf("got %q", got)
	}
	if l.refused.Load() {
		t.Error("it wants to connect again for messages that the broker no longer has")
	}
}

// A session that an earlier configuration left behind collects nothing any more.
func TestForgetsASession(t *testing.T) {
	server := rig.StartMosquitto(t)
	other := client(t, server.Addr())
	t.Run("left behind", func(t *testing.T) {
		l := start(t, Config{URL: "tcp://" + server.Addr(), ClientID: "old"}, &box{}, nil)
		eventually(t, "it is connected", connected(l))
	})
	t.Run("forgotten", func(t *testing.T) {
		l := start(t, Config{URL: "tcp://" + server.Addr(), Clean: true, Forget: "old"}, &box{room: 100}, nil)
		eventually(t, "it is connected", connected(l))
	})
	send(t, other, "to nobody")
	b := &box{room: 100}
	l := start(t, Config{URL: "tcp://" + server.Addr(), ClientID: "old"}, b, nil)
	eventually(t, "it is connected", connected(l))
	send(t, other, "to the new one")
	var got []string
	eventually(t, "a message arrives", func() bool { got = append(got, b.empty()...); return len(got) > 0 })
	if fmt.Sprint(got) != "[to the new one]" {
		t.Errorf("got %q, want nothing that was sent to the old session", got)
	}
}

// A broker that takes connections and then says nothing is found out, by what it
// does not confirm or by packets that cannot be written, and the link recovers.
func TestSilentBroker(t *testing.T) {
	for name, change := range map[string]func(*Link){
		"nothing is confirmed":      func(l *Link) { l.confirm = 300 * time.Millisecond },
		"nothing can be written":    func(l *Link) { l.stuck = 300 * time.Millisecond },
		"nothing confirmed at stop": func(l *Link) {},
	} {
		t.Run(name, func(t *testing.T) {
			addr := rig.Mosquitto(t)
			relay := rig.StartRelay(t, addr)
			l := start(t, Config{URL: "tcp://" + relay.Addr()}, &box{}, change)
			eventually(t, "it is connected", connected(l))
			if err := l.Publish("out", []byte("x")); err != nil {
				t.Fatal(err)
			}
			relay.Freeze(true)
			if name == "nothing confirmed at stop" {
				_ = l.Publish("out", []byte("x"))
				return // the clean-up stops it
			}
			payload := bytes.Repeat([]byte("x"), 1<<20)
			eventually(t, "the link gives the connection up", func() bool {
				_ = l.Publish("out", payload) // blocks once the buffers in between are full
				return l.Connected() != nil
			})
			relay.Freeze(false)
			eventually(t, "it is connected again", connected(l))
			eventually(t, "it publishes again", func() bool { return l.Publish("out", []byte("x")) == nil })
		})
	}
}

func TestPublishWithoutBroker(t *testing.T) {
	server := rig.StartMosquitto(t)
	server.Kill(t)
	l := start(t, Config{URL: "tcp://" + server.Addr()}, &box{}, nil)
	began := time.Now()
	if err := l.Publish("out", nil); err == nil || time.Since(began) > time.Second {
		t.Errorf("Publish without a broker: %v after %v, want an error at once", err, time.Since(began))
	}
}

func TestCredentials(t *testing.T) {
	passwd, err := exec.LookPath("mosquitto_passwd")
	if err != nil {
		t.Fatalf("mosquitto_passwd is not installed: apt-get install mosquitto: %v", err)
	}
	folder, err := os.MkdirTemp("", "cityflow-passwd-") // t.TempDir is closed to the broker's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	file := filepath.Join(folder, "passwords")
	if out, err := exec.Command(passwd, "-b", "-c", file, "collector", "right").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	server := rig.StartMosquitto(t, "allow_anonymous false", "password_file "+file)
	good := start(t, Config{URL: "tcp://" + server.Addr(), Username: "collector", Password: "right"}, &box{}, nil)
	eventually(t, "the right password opens", connected(good))
	bad := start(t, Config{URL: "tcp://" + server.Addr(), Username: "collector", Password: "wrong", ClientID: "bad"}, &box{}, nil)
	eventually(t, "the wrong one is refused", func() bool {
		err := bad.Connected()
		return err != nil && strings.Contains(strings.ToLower(err.Error()), "authori")
	})
}
