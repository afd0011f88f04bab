package predictor

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	generated prometheus.Counter
	cycles    prometheus.Counter
	repeated  prometheus.Counter
	failures  prometheus.Counter
	published prometheus.Counter
	duration  prometheus.Histogram
	lag       prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		generated: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_predictions_generated_total",
			Help: "Predictions computed and stored.",
		}),
		cycles: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_cycles_total",
			Help: "Prediction cycles run, early and repeated ones included.",
		}),
		repeated: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_cycles_repeated_total",
			Help: "Cycles run again because readings of their time came late. Many of them: look for an edge with a bad uplink.",
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_failures_total",
			Help: "Attempts that ended because the store or the bus failed; they are repeated. If it grows, look at /readyz.",
		}),
		published: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_predictor_cycles_published_total",
			Help: "Cycles announced on the bus; while catching up only the newest are.",
		}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "cityflow_predictor_cycle_duration_seconds",
			Help:    "Time of a prediction cycle with its store calls; cycles that were run together share it evenly.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 4, 9),
		}),
		lag: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_predictor_lag_seconds",
			Help: "Event time from the last regular cycle to the watermark. Above two steps, the predictor does not keep up.",
		}),
	}
}
