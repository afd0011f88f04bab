package uplink

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	connects  prometheus.Counter
	sent      *prometheus.CounterVec
	sentBytes prometheus.Counter
	resent    prometheus.Counter
	acked     prometheus.Counter
	badAcks   prometheus.Counter
	overtaken prometheus.Counter
	latency   prometheus.Histogram
	live      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, u *Uplink) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string, v func(State) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return v(u.State()) })
	}
	gauge("cityflow_edge_uplink_connected", "1 while the central broker is connected.", func(s State) float64 {
		if s.Connected {
			return 1
		}
		return 0
	})
	gauge("cityflow_edge_uplink_window_batches", "Batches that the collector allows to be unacknowledged.",
		func(s State) float64 { return float64(s.Window) })
	gauge("cityflow_edge_uplink_out_batches", "Batches sent and not acknowledged; stuck at the window, the collector is slow or away.",
		func(s State) float64 { return float64(s.Out) })
	gauge("cityflow_edge_uplink_stuck_clients", "MQTT clients that did not come back after their connection was closed; more than a few mean a defect in the library.",
		func(s State) float64 { return float64(s.Stuck) })
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		connects: counter("cityflow_edge_uplink_connects_total", "Connections made to the central broker."),
		sent: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_uplink_sent_batches_total", Help: "Batches published, each time counted, by lane: live or backlog.",
		}, []string{"lane"}),
		sentBytes: counter("cityflow_edge_uplink_sent_bytes_total", "Bytes of the published batches."),
		resent:    counter("cityflow_edge_uplink_resent_batches_total", "Batches published again because their acknowledgement was overdue."),
		acked:     counter("cityflow_edge_uplink_acked_batches_total", "Batches that the collector acknowledged, each counted once."),
		badAcks:   counter("cityflow_edge_uplink_bad_acks_total", "Acknowledgements that could not be read."),
		overtaken: counter("cityflow_edge_uplink_overtaken_batches_total", "Batches taken for lost because later ones were acknowledged long before."),
		live: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_edge_uplink_live_seconds", Help: "Time from writing a fresh batch to disk to the collector's acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		}),
		latency: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_edge_uplink_ack_seconds", Help: "Time from publishing a batch to the collector's acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 14),
		}),
	}
}
