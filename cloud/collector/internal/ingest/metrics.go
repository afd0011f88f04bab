package ingest

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// reasonOverload is why a message that its sender does not repeat was dropped.
const reasonOverload traffic.Reason = "overload"

type metrics struct {
	received   prometheus.Counter
	stored     prometheus.Counter
	duplicates prometheus.Counter
	failures   *prometheus.CounterVec
	// edgeRejected are rejections that edges report; they never were readings here.
	edgeRejected prometheus.Counter
	gaps         prometheus.Counter
	// flagged counts readings by what the monitor remarked.
	flagged      map[traffic.Quality]prometheus.Counter
	newer        prometheus.Counter
	refused      prometheus.Counter
	batchSize    prometheus.Histogram
	appendTime   prometheus.Histogram
	appendErrors prometheus.Counter
	liveErrors   prometheus.Counter
}

// failed is the counter of one reason. The reasons are a small closed set: senders
// cannot make labels.
func (m *metrics) failed(r traffic.Reason) prometheus.Counter {
	return m.failures.WithLabelValues(string(r))
}

func newMetrics(reg prometheus.Registerer, pending, pendingBytes *atomic.Int64) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string, v *atomic.Int64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
	}
	gauge("cityflow_collector_queue_messages", "Messages taken from the broker and not yet answered.", pending)
	gauge("cityflow_collector_queue_bytes", "Payload bytes taken from the broker and not yet answered.", pendingBytes)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		received: counter("cityflow_collector_messages_received_total",
			"Readings received from the broker, repetitions included. A message that cannot be read counts as one. Equals stored + duplicates + failed once all is answered."),
		stored:     counter("cityflow_collector_messages_stored_total", "Readings stored that were not there before."),
		duplicates: counter("cityflow_collector_duplicates_total", "Readings received that the store had already. Some after every lost acknowledgement; many mean that acknowledgements do not reach the edges."),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_collector_messages_failed_total",
			Help: "Readings that were not stored, by reason. All but those of reason overload are listed by 'cityflow rejected list'.",
		}, []string{"reason"}),
		edgeRejected: counter("cityflow_collector_edge_rejections_total", "Records of messages that edges rejected, as reported by them."),
		gaps:         counter("cityflow_collector_gaps_total", "Records of readings that edges lost or thinned, as reported by them, repetitions included."),
		newer:        counter("cityflow_collector_newer_batches_total", "Batches of a format that this version does not know. Their edges keep them: update the collectors before the edges."),
		refused:      counter("cityflow_collector_refused_messages_total", "Messages left with the broker because there was no room for them. They grow while the store is slow or away."),
		batchSize: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_collector_append_readings", Help: "Readings per database transaction.",
			Buckets: []float64{1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10000},
		}),
		appendTime: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_collector_append_seconds", Help: "Duration of database transactions, failed ones included.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		appendErrors: counter("cityflow_collector_append_errors_total", "Database transactions that failed and were tried again. While they grow, the edges keep their readings."),
		liveErrors:   counter("cityflow_collector_live_errors_total", "Live updates that the bus did not take. They are offered again, the newest state of each road only."),
	}
	flagged := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cityflow_collector_flagged_readings_total",
		Help: "Readings that were stored with a remark on their quality, by remark, repetitions included.",
	}, []string{"flag"})
	m.flagged = map[traffic.Quality]prometheus.Counter{
		traffic.QualityLate:         flagged.WithLabelValues("late"),
		traffic.QualityStuck:        flagged.WithLabelValues("stuck"),
		traffic.QualityInconsistent: flagged.WithLabelValues("inconsistent"),
	}
	for _, r := range []traffic.Reason{
		traffic.ReasonParse, traffic.ReasonID, traffic.ReasonTime, traffic.ReasonFuture,
		traffic.ReasonRange, traffic.ReasonEmpty, traffic.ReasonSize, reasonOverload,
	} {
		m.failed(r) // so that a rate can be computed from the first failure on
	}
	return m
}
