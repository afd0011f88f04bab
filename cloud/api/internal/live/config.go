package live

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Config are the settings of a Hub.
type Config struct {
	// MaxClients bounds the streams of this process, MaxPerUser those of one user.
	MaxClients, MaxPerUser int
	// UpdateEvery is the time between two messages about traffic,
	// PredictionsEvery between two about forecasts, which are much larger.
	UpdateEvery, PredictionsEvery time.Duration
	// HeartbeatEvery is the time between heartbeats; a client that is silent for
	// three of them is cut off.
	HeartbeatEvery time.Duration
	// WriteTimeout is how long one message may take to be sent.
	WriteTimeout time.Duration
	// ResyncEvery is how often the store is read without a reason, PollEvery how often
	// while the bus is broken.
	ResyncEvery, PollEvery time.Duration
	// Origins are the other web pages that may open streams, such as
	// "https://city.example"; a page of this server always may.
	Origins []string
}

// Default is for a city.
func Default() Config {
	return Config{
		MaxClients: 10_000, MaxPerUser: 100,
		UpdateEvery: 250 * time.Millisecond, PredictionsEvery: 2 * time.Second,
		HeartbeatEvery: 15 * time.Second, WriteTimeout: 10 * time.Second,
		ResyncEvery: time.Minute, PollEvery: 5 * time.Second,
	}
}

// Validate returns an error that names the setting.
func (c *Config) Validate() error {
	for _, d := range []struct {
		name string
		d    time.Duration
		min  time.Duration
	}{
		{"update every", c.UpdateEvery, time.Millisecond},
		{"predictions every", c.PredictionsEvery, time.Millisecond},
		{"heartbeat every", c.HeartbeatEvery, 10 * time.Millisecond},
		{"write timeout", c.WriteTimeout, time.Millisecond},
		{"resync every", c.ResyncEvery, time.Millisecond},
		{"poll every", c.PollEvery, time.Millisecond},
	} {
		if d.d < d.min {
			return fmt.Errorf("live stream: %s: %s is not allowed: want at least %s", d.name, d.d, d.min)
		}
	}
	if c.MaxClients < 1 || c.MaxPerUser < 1 {
		return fmt.Errorf("live stream: at most %d clients, %d of one user, is not allowed: want at least 1", c.MaxClients, c.MaxPerUser)
	}
	return nil
}

type metrics struct {
	clients  prometheus.Gauge
	messages *prometheus.CounterVec
	bytes    prometheus.Counter
	closed   *prometheus.CounterVec
	events   *prometheus.CounterVec
	missed   *prometheus.CounterVec
	resyncs  *prometheus.CounterVec
	degraded prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		clients: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_api_live_clients", Help: "WebSocket clients connected now.",
		}),
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_live_messages_total", Help: "Messages sent to WebSocket clients, by type.",
		}, []string{"type"}),
		bytes: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_api_live_sent_bytes_total", Help: "Bytes of messages sent to WebSocket clients, before compression.",
		}),
		closed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_live_closed_total", Help: "WebSocket clients that left, by close code; 0 means that the connection broke or was too slow.",
		}, []string{"code"}),
		events: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_bus_events_total", Help: "Events received from the bus, by topic.",
		}, []string{"topic"}),
		missed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_bus_missed_total", Help: "Events lost on the bus, by topic; the store is read after a loss. Many mean that this process is too slow.",
		}, []string{"topic"}),
		resyncs: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_resyncs_total", Help: "Times the live picture was read from the store, by result.",
		}, []string{"result"}),
		degraded: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_api_live_degraded", Help: "1 while the bus does not work and the store is polled instead.",
		}),
	}
}
