package uplink_test

import (
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const (
	edge     = traffic.EdgeID("E1")
	patience = 20 * time.Second
)

// A collector is the far end, as a test scripts it: it keeps every batch, and hands it to
// the script, which acknowledges as it pleases.
type collector struct {
	t      *testing.T
	client mqtt.Client
	script func(c *collector, b *wire.Batch)

	mu sync.Mutex
	// seen counts how often each batch came, order lists them by first arrival.
	seen  map[[2]uint64]int
	order []uint64
	kept  map[string]int // readings of batches seen, each batch once
}

func startCollector(t *testing.T, addr string, script func(*collector, *wire.Batch)) *collector {
	t.Helper()
	c := &collector{t: t, script: script, seen: map[[2]uint64]int{}, kept: map[string]int{}}
	c.client = dial(t, addr, "collector", func(o *mqtt.ClientOptions) {
		o.SetAutoReconnect(true).SetMaxReconnectInterval(100 * time.Millisecond).
			SetOnConnectHandler(func(client mqtt.Client) {
				client.Subscribe("$share/collector/"+wire.BatchFilter, 1, c.receive)
			})
	})
	waitFor(t, "the collector's subscription", func() bool { return c.client.IsConnectionOpen() })
	return c
}

func dial(t *testing.T, addr, id string, more func(*mqtt.ClientOptions)) mqtt.Client {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetConnectTimeout(patience).SetAutoReconnect(false)
	more(o)
	client := mqtt.NewClient(o)
	if token := client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect %s: %v", id, token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}

func (c *collector) receive(_ mqtt.Client, m mqtt.Message) {
	b, err := wire.DecodeBatch(m.Payload())
	if err != nil {
		c.t.Errorf("the edge sent an unreadable batch: %v", err)
		return
	}
	c.mu.Lock()
	id := [2]uint64{b.Epoch, b.Seq}
	c.seen[id]++
	if c.seen[id] == 1 {
		c.order = append(c.order, b.Seq)
		for _, r := range b.Readings {
			c.kept[string(r.Sensor)+r.At.String()]++
		}
	}
	c.mu.Unlock()
	go c.script(c, b) // paho does not like to be called from its own goroutine
}

// ack publishes an acknowledgement.
func (c *collector) ack(a wire.Ack) {
	a.ServerTime = time.Now()
	p, err := wire.EncodeAck(&a)
	if err != nil {
		c.t.Errorf("encode ack: %v", err)
		return
	}
	c.client.Publish(wire.AckTopic(edge), 1, false, p)
}

func ackAtOnce(c *collector, b *wire.Batch) {
	c.ack(wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, Window: 16})
}

// counts returns how many batches came, and how many came again.
func (c *collector) counts() (batches, again int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.seen {
		again += n - 1
	}
	return len(c.seen), again
}

func (c *collector) times(b *wire.Batch) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[[2]uint64{b.Epoch, b.Seq}]
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
