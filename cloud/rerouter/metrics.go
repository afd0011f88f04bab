package rerouter

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
)

type metrics struct {
	generated prometheus.Counter
	congested *prometheus.CounterVec
	duration  prometheus.Histogram
	failed    prometheus.Counter
	roads     prometheus.Gauge
	junctions prometheus.Gauge
	lastCycle prometheus.Gauge
}

// What became of a road that a forecast called congested, beside detour's outcomes.
const (
	outcomeNoNetwork = "no_network"
	outcomeFlowing   = "flowing"
	outcomeUnsure    = "unsure"
	// outcomeNoSign is a road whose newest reading shows no sign of a jam.
	outcomeNoSign = "no_sign"
	// outcomeMovesJam is a detour that would not be worth taking, or jam, once enough
	// drivers took it.
	outcomeMovesJam = "moves_jam"
	// outcomeMinor is a detour that others are ahead of; see Config.MaxAdvice.
	outcomeMinor = "minor"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		generated: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_rerouter_reroutes_generated_total",
			Help: "Pieces of advice that were stored, a repeated one each time.",
		}),
		congested: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_rerouter_congested_roads_total",
			Help: "Roads forecast over the threshold, by what became of them. Many no_network: import the network. Many unsure: lower the least confidence. Many flowing: the score saturates.",
		}, []string{"outcome"}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "cityflow_rerouter_cycle_duration_seconds",
			Help:    "Time from reading the forecasts to publishing the advice.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_rerouter_cycles_failed_total",
			Help: "Cycles that ended with an error; the log says which. Rising: look at the database.",
		}),
		roads: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_rerouter_network_roads",
			Help: "Roads that can be driven. 0: no network was imported, there is no advice.",
		}),
		junctions: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_rerouter_network_junctions",
			Help: "Junctions of the network.",
		}),
		lastCycle: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_rerouter_last_cycle_timestamp_seconds",
			Help: "Event time of the cycle that the advice in force was computed for.",
		}),
	}
	for _, o := range []string{string(detour.Found), string(detour.NoGain), string(detour.NoDetour), outcomeNoNetwork, outcomeFlowing, outcomeUnsure, outcomeNoSign, outcomeMovesJam, outcomeMinor} {
		m.congested.WithLabelValues(o)
	}
	return m
}
