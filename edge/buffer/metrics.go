package buffer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	readings prometheus.Counter
	refused  *prometheus.CounterVec
	sync     prometheus.Histogram
	failures prometheus.Counter
	damaged  prometheus.Counter
	// lostReadings and lostBatches are by cause and kind.
	lostReadings, lostBatches *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, b *Buffer) *metrics {
	f := promauto.With(reg)
	gauge := func(name, help string, v func(Stats) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return v(b.Stats()) })
	}
	gauge("cityflow_edge_buffer_bytes", "Disk space taken by buffered batches; the uplink must drain it before it reaches the bound.",
		func(s Stats) float64 { return float64(s.Bytes) })
	gauge("cityflow_edge_buffer_batches", "Batches that the centre has not acknowledged.",
		func(s Stats) float64 { return float64(s.Batches) })
	gauge("cityflow_edge_buffer_oldest_age_seconds", "Age of the oldest batch that the centre has not acknowledged.",
		func(s Stats) float64 {
			if s.Oldest.IsZero() {
				return 0
			}
			return max(0, time.Since(s.Oldest).Seconds())
		})
	gauge("cityflow_edge_buffer_unreported_gaps", "Losses that the centre has not been told of.",
		func(s Stats) float64 { return float64(s.Gaps) })
	gauge("cityflow_edge_buffer_undated_batches", "Batches that wait until the time is known.",
		func(s Stats) float64 { return float64(s.Undated) })
	f.NewCounterFunc(prometheus.CounterOpts{
		Name: "cityflow_edge_buffer_written_bytes_total", Help: "Bytes that the disk was given, in whole pages: what wears an SD card.",
	}, func() float64 { return float64(b.commit.written.Load()) })
	f.NewCounterFunc(prometheus.CounterOpts{
		Name: "cityflow_edge_buffer_syncs_total", Help: "How often the disk was made to keep what it was given.",
	}, func() float64 { return float64(b.commit.syncs.Load()) })
	return &metrics{
		readings: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_readings_total", Help: "Readings written and synced to disk.",
		}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_refused_readings_total", Help: "Readings left with their senders, by reason.",
		}, []string{"reason"}),
		sync: f.NewHistogram(prometheus.HistogramOpts{
			Name: "cityflow_edge_buffer_commit_seconds", Help: "Time to write and sync one group of readings; its count is the number of commits.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_failed_commits_total", Help: "Commits that the disk refused.",
		}),
		damaged: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_damaged_segments_total", Help: "Segments moved to quarantine; look at the disk.",
		}),
		lostReadings: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_lost_readings_total", Help: "Readings that were kept and are lost, by cause (thinned ones live on as averages) and kind of segment; as far as a damaged disk tells.",
		}, []string{"cause", "kind"}),
		lostBatches: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_buffer_lost_batches_total", Help: "Batches that were kept and are lost, by cause and kind of segment.",
		}, []string{"cause", "kind"}),
	}
}
