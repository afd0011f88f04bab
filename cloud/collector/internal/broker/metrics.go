package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics tell how one link is.
type Metrics struct {
	connected prometheus.Gauge
	connects  prometheus.Counter
	unsent    prometheus.Counter
}

// NewMetrics registers the metrics of the links with these names, which become the
// label "link". It returns them in the same order.
func NewMetrics(reg prometheus.Registerer, links ...string) []Metrics {
	f, label := promauto.With(reg), []string{"link"}
	connected := f.NewGaugeVec(prometheus.GaugeOpts{
		Name: "cityflow_collector_broker_connected",
		Help: "1 while the collector is connected and subscribed to the central broker.",
	}, label)
	connects := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cityflow_collector_broker_connects_total",
		Help: "Connections made to the central broker. A steady growth means a broken link or a second collector with the same --instance.",
	}, label)
	unsent := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cityflow_collector_acks_unconfirmed_total",
		Help: "Acknowledgements to edges that the broker did not confirm. The edge sends those batches again.",
	}, label)
	ms := make([]Metrics, len(links))
	for i, name := range links {
		ms[i] = Metrics{connected.WithLabelValues(name), connects.WithLabelValues(name), unsent.WithLabelValues(name)}
	}
	return ms
}
