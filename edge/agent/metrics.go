package agent

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	received prometheus.Counter
	rejected *prometheus.CounterVec
	scores   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		received: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_received_readings_total", Help: "Readings that sensors sent, good and bad, each time counted.",
		}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_rejected_readings_total", Help: "Readings and messages that can never be taken, by reason; their sensors need attention.",
		}, []string{"reason"}),
		scores: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_published_scores_total", Help: "Scores published for local subscribers.",
		}),
	}
}
