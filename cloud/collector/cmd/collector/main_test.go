package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/redis"
	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const patience = 30 * time.Second

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v in vain until %s", patience, what)
}

// body is the status and text of what an address answers, or the error.
func body(url string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(b), " ", err)
}

func freeAddr(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// city is everything around the program.
type city struct {
	postgres *rig.PostgresServer
	redis    *rig.Server
	db       *timescale.Store
	ops      string
	client   mqtt.Client
	acks     chan uint64
}

// start starts the servers and the program, which ends with the test.
func start(t *testing.T) *city {
	t.Helper()
	c := &city{postgres: rig.StartPostgres(t, rig.PostgresOptions{Child: true}), redis: rig.StartRedis(t), ops: freeAddr(t), acks: make(chan uint64, 1000)}
	broker, dsn := rig.StartMosquitto(t).Addr(), c.postgres.Database(t)
	var err error
	if c.db, err = timescale.Open(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.db.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, command(), []string{
			"cityflow-collector", "--database-url", dsn, "--redis-url", "redis://" + c.redis.Addr() + "/0",
			"--broker-url", "tcp://" + broker, "--http-addr", c.ops, "--log-level", "error",
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	eventually(t, "the program is ready", func() bool { return strings.HasPrefix(c.ready(), "200") })
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("e").
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			if a, err := wire.DecodeAck(m.Payload()); err == nil {
				for _, seq := range a.Seqs {
					c.acks <- seq
				}
			}
		}))
	done(t, c.client.Connect())
	t.Cleanup(func() { c.client.Disconnect(100) })
	done(t, c.client.Subscribe(wire.AckTopic("e"), 1, nil))
	return c
}

func done(t testing.TB, tok mqtt.Token) {
	t.Helper()
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("the broker: %v", tok.Error())
	}
}

func (c *city) ready() string { return body("http://" + c.ops + "/readyz") }

// send publishes a batch of one reading as edge e.
func (c *city) send(t *testing.T, seq uint64) {
	t.Helper()
	p, err := wire.EncodeBatch(&wire.Batch{Edge: "e", Epoch: 1 << 63, Seq: seq, Readings: []traffic.Reading{{
		At: time.Date(2026, 3, 2, 8, int(seq), 0, 0, time.UTC), Sensor: "s", Road: "r", Speed: traffic.Some(30), Score: traffic.Some(0.5),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	done(t, c.client.Publish(wire.BatchTopic("e"), 1, false, p))
}

func (c *city) acked(t *testing.T, seq uint64) {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case got := <-c.acks:
			if got == seq {
				return
			}
		case <-end:
			t.Fatalf("batch %d was not acknowledged; ready: %s", seq, c.ready())
		}
	}
}

// rows is how many readings of a road are stored. A connection that the database
// dropped fails once.
func (c *city) rows(t *testing.T, road traffic.RoadID) int {
	t.Helper()
	rows, _, err := c.db.Readings(t.Context(), store.ReadingQuery{Road: road})
	if err != nil {
		rows, _, err = c.db.Readings(t.Context(), store.ReadingQuery{Road: road})
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

// The program as an operator starts it, with each of its neighbours failing once.
func TestProgram(t *testing.T) {
	c := start(t)
	live, err := redis.Open(t.Context(), "redis://"+c.redis.Addr()+"/0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	news, err := live.Subscribe(t.Context(), bus.TopicLive)
	if err != nil {
		t.Fatal(err)
	}

	c.send(t, 1)
	c.acked(t, 1)
	done(t, c.client.Publish("cityflow/traffic/x", 0, false, `{"ts":"2026-03-02T08:05:00Z","sensor_id":"x","speed_kmh":31.5}`))
	eventually(t, "the sensor's reading is stored", func() bool { return c.rows(t, "x") == 1 })
	seen := map[traffic.RoadID]bool{}
	for !seen["r"] || !seen["x"] {
		select {
		case e := <-news:
			for _, s := range e.Roads {
				seen[s.Road] = true
			}
		case <-time.After(patience):
			t.Fatalf("news of %v, want r and x", seen)
		}
	}

	c.redis.Kill(t) // live updates pause, the store does not
	c.send(t, 2)
	c.acked(t, 2)
	if got := c.ready(); !strings.HasPrefix(got, "503") || !strings.Contains(got, "redis") {
		t.Errorf("readyz without Redis: %s", got)
	}
	c.redis.Start(t)

	c.postgres.Kill(t) // nothing is acknowledged until it is back
	c.send(t, 3)
	eventually(t, "readyz misses the store", func() bool { return strings.Contains(c.ready(), "last append failed") })
	select {
	case seq := <-c.acks:
		t.Errorf("batch %d was acknowledged without a database", seq)
	default:
	}
	c.postgres.Start(t)
	c.acked(t, 3)
	eventually(t, "the program is ready again", func() bool { return strings.HasPrefix(c.ready(), "200") })

	if got := c.rows(t, "r"); got != 3 {
		t.Errorf("%d rows, want 3", got)
	}
	metrics := body("http://" + c.ops + "/metrics")
	for _, want := range []string{
		"cityflow_collector_messages_received_total 4", "cityflow_collector_messages_stored_total 4",
		`cityflow_collector_messages_failed_total{reason="unparsable"} 0`, "cityflow_collector_duplicates_total 0",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
}

func TestBadSettingsAreNamed(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "database-url"},
		{[]string{"--database-url", "postgres://127.0.0.1:1/x?connect_timeout=1"}, "database-url"},
		{[]string{"--database-url", "x", "--broker-url", "localhost"}, "broker URL"},
		{[]string{"--database-url", "x", "--broker-username", "u"}, "broker-password"},
		{[]string{"--database-url", "x", "--broker-ca", "/nowhere"}, "broker-ca"},
		{[]string{"--database-url", "x", "--broker-ca", notPEM}, "no certificate"},
		{[]string{"--database-url", "x", "--max-readings", "0"}, "max readings"},
		{[]string{"--database-url", "x", "--max-delay", "-1s"}, "max delay"},
	} {
		err := daemon.Run(t.Context(), command(), append([]string{"cityflow-collector", "--http-addr", "127.0.0.1:0", "--log-level", "error"}, c.args...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.args, err, c.want)
		}
	}
}
