package farend

import (
	"errors"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// Patience bounds every wait for something that should happen.
const Patience = 20 * time.Second

// A Key names a reading.
type Key struct {
	Sensor traffic.SensorID
	At     time.Time
}

// A Collector is a scripted far end. When its connection ends it makes a new one; paho's
// own way to do that has a data race on what was published meanwhile.
type Collector struct {
	t      testing.TB
	addr   string
	script func(c *Collector, b *wire.Batch)
	// lost gets a value for each connection that ended.
	lost chan struct{}

	mu       sync.Mutex // guards all below
	greet    func() (window int, answer bool)
	hellos   int
	now      func() time.Time
	client   mqtt.Client
	seen     map[[2]uint64]int
	order    []uint64
	readings map[Key]int
	rejected []traffic.Rejected
}

// Start connects a collector to the broker at addr. script is called, on a goroutine of
// its own, for every batch that comes.
func Start(t testing.TB, addr string, script func(*Collector, *wire.Batch)) *Collector {
	t.Helper()
	c := &Collector{
		t: t, addr: addr, script: script, lost: make(chan struct{}, 1),
		seen: map[[2]uint64]int{}, readings: map[Key]int{},
		greet: func() (int, bool) { return 16, true }, now: time.Now,
	}
	if err := c.connect(); err != nil {
		t.Fatalf("the collector cannot subscribe: %v", err)
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.stayConnected(over)
	}()
	t.Cleanup(func() {
		close(over)
		<-ended
		c.current().Disconnect(100)
	})
	return c
}

func (c *Collector) connect() error {
	o := options(c.addr, "collector")
	o.SetConnectionLostHandler(func(mqtt.Client, error) { c.lost <- struct{}{} })
	client := mqtt.NewClient(o)
	if err := done(client.Connect()); err != nil {
		return err
	}
	c.mu.Lock()
	c.client = client
	c.mu.Unlock()
	return done(client.Subscribe("$share/collector/"+wire.BatchFilter, 1, c.receive))
}

// options are those of all clients here. The write timeout is also how long paho holds on to
// a publication after its connection was lost.
func options(addr, id string) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).
		SetConnectTimeout(Patience).SetWriteTimeout(500 * time.Millisecond).SetAutoReconnect(false)
}

// done waits for a paho operation.
func done(t mqtt.Token) error {
	if !t.WaitTimeout(Patience) {
		return errors.New("no answer")
	}
	return t.Error()
}

// stayConnected makes a new connection whenever one ended.
func (c *Collector) stayConnected(over <-chan struct{}) {
	for {
		select {
		case <-c.lost:
		case <-over:
			return
		}
		for c.connect() != nil {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-over:
				return
			}
		}
	}
}

func (c *Collector) current() mqtt.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

// Dial connects a client that is disconnected when the test ends.
func Dial(t testing.TB, addr, id string) mqtt.Client {
	t.Helper()
	client := mqtt.NewClient(options(addr, id))
	if token := client.Connect(); !token.WaitTimeout(Patience) || token.Error() != nil {
		t.Fatalf("connect %s: %v", id, token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}

func (c *Collector) receive(_ mqtt.Client, m mqtt.Message) {
	b, err := wire.DecodeBatch(m.Payload())
	if err != nil {
		c.t.Errorf("the edge sent an unreadable batch: %v", err)
		return
	}
	if b.Seq == 0 && len(b.Readings) == 0 {
		go c.hello(b)
		return
	}
	c.mu.Lock()
	id := [2]uint64{b.Epoch, b.Seq}
	c.seen[id]++
	if c.seen[id] == 1 {
		c.order = append(c.order, b.Seq)
		c.rejected = append(c.rejected, b.Rejected...)
		for _, r := range b.Readings {
			c.readings[Key{r.Sensor, r.At}]++
		}
	}
	c.mu.Unlock()
	go c.script(c, b) // paho does not like to be called from its own goroutine
}

// Greet decides how hellos are answered from now on: with which window, or not at all.
// Without it the window is 16.
func (c *Collector) Greet(greet func() (window int, answer bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.greet = greet
}

// Clock makes the collector believe in another time than this machine's.
func (c *Collector) Clock(now func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *Collector) hello(b *wire.Batch) {
	c.mu.Lock()
	c.hellos++
	greet := c.greet
	c.mu.Unlock()
	if window, answer := greet(); answer {
		c.Ack(b.Edge, wire.Ack{Window: window})
	}
}

// Hellos is how often an edge asked whether there is a collector.
func (c *Collector) Hellos() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hellos
}

// Ack publishes an acknowledgement to an edge.
func (c *Collector) Ack(edge traffic.EdgeID, a wire.Ack) {
	c.mu.Lock()
	a.ServerTime = c.now()
	c.mu.Unlock()
	p, err := wire.EncodeAck(&a)
	if err != nil {
		c.t.Errorf("encode ack: %v", err)
		return
	}
	c.Publish(wire.AckTopic(edge), p)
}

// Publish sends anything.
func (c *Collector) Publish(topic string, payload []byte) {
	c.current().Publish(topic, 1, false, payload)
}

// AckAtOnce is the script of a collector that works.
func AckAtOnce(c *Collector, b *wire.Batch) {
	c.Ack(b.Edge, wire.Ack{Epoch: b.Epoch, Seqs: []uint64{b.Seq}, Window: 16})
}

// Seen returns how often each batch, by epoch and number, came.
func (c *Collector) Seen() map[[2]uint64]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[[2]uint64]int, len(c.seen))
	for id, n := range c.seen {
		out[id] = n
	}
	return out
}

// Order returns the numbers of the batches in the order of their first arrival.
func (c *Collector) Order() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]uint64(nil), c.order...)
}

// Readings returns in how many different batches each reading came.
func (c *Collector) Readings() map[Key]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[Key]int, len(c.readings))
	for k, n := range c.readings {
		out[k] = n
	}
	return out
}

// Rejected returns the records of rejected messages that came.
func (c *Collector) Rejected() []traffic.Rejected {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]traffic.Rejected(nil), c.rejected...)
}

// Times is how often a batch came.
func (c *Collector) Times(b *wire.Batch) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[[2]uint64{b.Epoch, b.Seq}]
}

// WaitFor waits until ok, and fails the test when that takes longer than Patience.
func WaitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
