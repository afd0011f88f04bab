package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	taken   prometheus.Counter
	failed  prometheus.Counter
	refused *prometheus.CounterVec
	dropped prometheus.Counter
	panics  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, b *Broker) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cityflow_edge_broker_clients", Help: "Clients connected to the embedded broker.",
	}, func() float64 { return float64(b.Clients()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cityflow_edge_broker_waiting_messages", Help: "Sensor messages read and not yet answered; near its bound the disk is too slow.",
	}, func() float64 { return float64(b.door.count()) })
	return &metrics{
		taken: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_broker_messages_total", Help: "Sensor messages read.",
		}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_broker_failed_messages_total", Help: "Sensor messages that were not kept and not acknowledged; look at the buffer.",
		}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_broker_refused_total", Help: "Connections refused, by reason.",
		}, []string{"reason"}),
		dropped: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_broker_dropped_messages_total", Help: "Messages dropped because their subscriber was too slow.",
		}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_broker_panics_total", Help: "Connections that ended because a packet could not be decoded without a panic.",
		}),
	}
}
