package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulate runs the command line as main does.
func simulate(t *testing.T, args ...string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := command()
	c.Writer, c.ErrWriter = &bytes.Buffer{}, &bytes.Buffer{}
	err := daemon.Run(ctx, c, append([]string{"simulator", "--log-level", "error"}, args...))
	if ctx.Err() != nil {
		t.Error("it did not end by itself")
	}
	return err
}

// subscribe calls handle with every message on the topics, one at a time.
func subscribe(t *testing.T, addr string, handle func(mqtt.Message), topics ...string) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("test"))
	wait(t, c.Connect())
	inbox, done := make(chan mqtt.Message, 1000), make(chan struct{})
	go func() {
		defer close(done)
		for m := range inbox {
			handle(m)
		}
	}()
	for _, topic := range topics {
		wait(t, c.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { inbox <- m }))
	}
	t.Cleanup(func() {
		c.Disconnect(100)
		close(inbox)
		<-done
	})
	return c
}

func wait(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("mqtt: %v", token.Error())
	}
}

func TestReplayFromTheCommandLine(t *testing.T) {
	addr := rig.Mosquitto(t)
	var mu sync.Mutex
	var got []traffic.Reading
	subscribe(t, addr, func(m mqtt.Message) {
		rs := wire.DecodeSensor(m.Topic(), m.Payload(), time.Now())
		mu.Lock()
		defer mu.Unlock()
		got = append(got, rs.Readings...)
	}, wire.SensorFilter, wire.SensorTopicAlt)

	file := filepath.Join(t.TempDir(), "counts.csv")
	text := "when,id,v\n2022-01-01 10:00,a,10\n2022-01-01 09:00,b,20\nsoon,b,20\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := simulate(t, "run", "--source", "replay", "--file", file, "--columns", "ts=when,sensor=id,speed=v",
		"--units", "mph", "--tz", "UTC", "--speed", "max", "--from", "2022-01-01T09:00:00Z", "--broker-url", "tcp://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n >= 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 2 || got[0].Sensor != "b" || got[0].Speed.Or(0) < 32.18 || got[1].At.Hour() != 10 {
		t.Errorf("got %+v", got)
	}
}

func TestFleetFromTheCommandLine(t *testing.T) {
	addr := rig.Mosquitto(t)
	var client mqtt.Client
	ready := make(chan struct{})
	client = subscribe(t, addr, func(m mqtt.Message) {
		<-ready
		b, err := wire.DecodeBatch(m.Payload())
		if err != nil {
			t.Error(err)
			return
		}
		ack, err := wire.EncodeAck(&wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, ServerTime: time.Now(), Window: 4})
		if err != nil {
			t.Error(err)
			return
		}
		client.Publish(wire.AckTopic(b.Edge), 1, false, ack)
	}, wire.BatchFilter)
	close(ready)
	if err := simulate(t, "--http-addr", "127.0.0.1:0", "fleet", "--edges", "3", "--rate", "0", "--total", "900", "--batch", "100", "--broker-url", "tcp://"+addr); err != nil {
		t.Fatal(err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	config := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(config, []byte("sped: max\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`source: "metro" is not allowed`:     {"run", "--source", "metro"},
		"file: none given":                   {"run", "--source", "replay"},
		"no such file":                       {"run", "--source", "replay", "--file", "absent.csv"},
		"paris-interval: 1s: want 5m to 24h": {"run", "--source", "paris", "--paris-interval", "1s"},
		"broker-url:":                        {"run", "--broker-url", "localhost"},
		"edges: 0: want 1 to 1000":           {"fleet", "--edges", "0"},
		`speed "fast"`:                       {"run", "--speed", "fast"},
		`unknown key "sped"`:                 {"--config", config, "run"},
	} {
		if err := simulate(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", args, err, want)
		}
	}
}
