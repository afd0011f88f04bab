package predictor

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/traffic"
)

type metrics struct {
	generated prometheus.Counter
	cycles    prometheus.Counter
	repeated  prometheus.Counter
	failures  prometheus.Counter
	published prometheus.Counter
	duration  prometheus.Histogram
	lag       prometheus.Gauge
	skill     skillMetrics
	training  trainingMetrics
}

// skillMetrics say how well the models do. Their labels are bounded: models, horizons and
// classes of roads.
type skillMetrics struct {
	mae, bias, coverage, served *prometheus.GaugeVec
	skill                       *prometheus.GaugeVec
}

// show replaces what is shown.
func (m *skillMetrics) show(skills []traffic.Skill) {
	for i := range skills {
		s := &skills[i]
		labels := []string{s.Model, strconv.Itoa(s.HorizonMin), s.Group}
		set(m.mae, s.MAE(), labels...)
		set(m.bias, s.Bias(), labels...)
		set(m.coverage, s.Coverage(), labels...)
		set(m.skill, s.Persistence.Skill(), append(labels, model.PersistenceName)...)
		set(m.skill, s.Profile.Skill(), append(labels, model.ProfileName)...)
		served := 0.0
		if s.Served {
			served = 1
		}
		m.served.WithLabelValues(labels...).Set(served)
	}
}

func set(g *prometheus.GaugeVec, v traffic.Value, labels ...string) {
	if f, ok := v.Get(); ok {
		g.WithLabelValues(labels...).Set(f)
	}
}

func newSkillMetrics(f promauto.Factory) skillMetrics {
	labels := []string{"model", "horizon_min", "group"}
	gauge := func(name, help string, more ...string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "cityflow_predictor_forecast_" + name, Help: help}, append(slices.Clone(labels), more...))
	}
	return skillMetrics{
		mae:      gauge("mae", "Mean absolute error of the congestion score (0 to 1) of about the last day."),
		bias:     gauge("bias", "Mean of forecast minus measurement of about the last day."),
		coverage: gauge("coverage", "Share of the 80 % intervals that held the truth, of about the last day: 0.8 is right."),
		served:   gauge("served", "1 for the model that speaks for the group at this horizon."),
		skill:    gauge("skill", "1 - error / the baseline's error on the same forecasts: above 0 is better than the baseline.", "baseline"),
	}
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
		skill:    newSkillMetrics(f),
		training: newTrainingMetrics(f),
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
