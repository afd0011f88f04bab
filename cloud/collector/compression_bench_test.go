package collector_test

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// BenchmarkCompression collects real readings, lets the store compress them, and compares
// what the table takes before and after, indexes included.
func BenchmarkCompression(b *testing.B) {
	const size = 5000
	readings := realReadings(b)
	dsn := rig.Postgres(b)
	s, err := timescale.Open(b.Context(), dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	conn, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	tableSize := func() (bytes int64) {
		b.Helper()
		if err := conn.QueryRow(b.Context(), `SELECT hypertable_size('traffic_raw')`).Scan(&bytes); err != nil {
			b.Skipf("without TimescaleDB nothing is compressed: %v", err)
		}
		return bytes
	}
	tableSize()
	collect(b, s, readings, size)
	before := tableSize()
	for more := true; more; {
		done, err := s.Maintain(b.Context(), readings[len(readings)-1].At.Add(3*store.Day), store.Upkeep{CompressAfter: store.Day})
		if err != nil {
			b.Fatal(err)
		}
		more = done.More
	}
	after := tableSize()
	fmt.Printf("BENCH ingest_compression_ratio %.4g ratio\n", float64(before)/float64(after))
	fmt.Printf("BENCH ingest_compressed_bytes_per_reading %.4g bytes\n", float64(after)/float64(len(readings)))
}

// collect hands readings to a collector of their own.
func collect(b *testing.B, st collector.Store, readings []traffic.Reading, size int) {
	b.Helper()
	cfg := collector.Default()
	cfg.BrokerURL = "tcp://" + rig.Mosquitto(b)
	c, err := collector.New(cfg, st, inproc.New(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for k := 0; k < len(readings); k += size {
		if err := c.Accept(ctx, readings[k:min(k+size, len(readings))]); err != nil {
			b.Fatal(err)
		}
	}
}

// realReadings are five days of 207 loops, a reading of the speed every five minutes.
func realReadings(b *testing.B) []traffic.Reading {
	b.Helper()
	f, err := os.Open(realdata.Path(b, "los-loop-metr-la-week1", "los_speed_day1-5.csv.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	table := csv.NewReader(z)
	sensors, err := table.Read()
	if err != nil {
		b.Fatal(err)
	}
	var out []traffic.Reading
	for at := time.Date(2012, 3, 1, 0, 0, 0, 0, time.UTC); ; at = at.Add(5 * time.Minute) {
		speeds, err := table.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			b.Fatal(err)
		}
		for i, text := range speeds {
			mph, err := strconv.ParseFloat(text, 64)
			if err != nil {
				b.Fatal(err)
			}
			id := "LA-" + sensors[i]
			out = append(out, traffic.Reading{At: at, Sensor: traffic.SensorID(id), Road: traffic.RoadID(id), Edge: "la", Speed: traffic.Some(mph * 1.609344)})
		}
	}
}
