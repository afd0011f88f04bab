package clock

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// register tells what the clock knows.
func register(reg prometheus.Registerer, c *Clock) {
	f := promauto.With(reg)
	gauge := func(name, help string, v func(State) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return v(c.State()) })
	}
	gauge("cityflow_edge_clock_known", "1 while the time is known; without it readings wait in the buffer.", func(s State) float64 {
		if s.Source == Unknown {
			return 0
		}
		return 1
	})
	gauge("cityflow_edge_clock_offset_seconds", "The collector's clock minus the edge's, when last heard.",
		func(s State) float64 { return s.Offset.Seconds() })
	gauge("cityflow_edge_clock_machine_offset_seconds", "The edge's time minus what the machine's clock says.",
		func(s State) float64 { return s.Machine.Seconds() })
	f.NewCounterFunc(prometheus.CounterOpts{
		Name: "cityflow_edge_clock_steps_total", Help: "Times that the machine's clock was set.",
	}, func() float64 { return float64(c.State().Steps) })
}
