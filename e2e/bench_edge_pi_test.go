package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/load"
	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
)

// A Raspberry Pi's work: sensors at 1 Hz, measured once it is warm.
const (
	piSensors = 500
	piWarmUp  = 20 * time.Second
	piTime    = 80 * time.Second
)

// The guest's addresses in the emulator, so that its memory can be told from the
// emulator's own.
const (
	guestBase = 0x100000000000
	guestSize = 0x4000000000
)

// benchARM64 measures the size of the Raspberry Pi's binary and runs it under emulation:
// its memory and what it writes are as on a Pi, its speed is not.
func benchARM64(b *testing.B, _ edgeBinaries) {
	binary := buildARM64(b)
	size, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	bench("edge_binary_mb", float64(size.Size())/1e6, "MB")

	emulator, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		b.Skipf("apt-get install qemu-user-static: %v", err)
	}
	central := rig.Mosquitto(b)
	c := collect(b, central)
	edge := system.ServeUnder(b, []string{emulator, "-B", fmt.Sprint(guestBase), "-R", fmt.Sprint(guestSize), binary},
		"--edge-id", string(benchEdge), "--mqtt-addr", "127.0.0.1:0", "--data-dir", system.DiskDir(b),
		"--central-url", "tcp://"+central)
	over := make(chan error, 1)
	go func() {
		_, err := load.Run(load.Plan{
			Addr: edge.MQTT, Connections: piSensors, InFlight: edgeInFlight, Rate: piSensors,
			Messages: int((piWarmUp + piTime).Seconds()) * piSensors,
			Message: func(connection, n int) (string, []byte) {
				return sensorMessage(b, benchReading("PI", connection, n, time.Now()))
			},
		})
		over <- err
	}()
	time.Sleep(piWarmUp)
	before := piState(b, edge, c)
	var resident int64
	for time.Since(before.at) < piTime-time.Second {
		resident = max(resident, edge.ResidentBetween(b, guestBase, guestBase+guestSize))
		time.Sleep(time.Second)
	}
	after := piState(b, edge, c)
	if err := <-over; err != nil {
		b.Fatal(err)
	}
	reportPi(b, before, after, resident)
}

func buildARM64(b *testing.B) string {
	b.Helper()
	out := filepath.Join(b.TempDir(), "edge-arm64")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./edge/cmd/edge")
	cmd.Dir = system.Root(b)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if msg, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build for arm64: %v\n%s", err, msg)
	}
	return out
}

// A piCount is what an edge had done at one moment.
type piCount struct {
	at                               time.Time
	readings, syncs, written, uplink float64
}

func piState(b *testing.B, edge *system.Process, c *load.Collector) piCount {
	b.Helper()
	_, bytes := c.Batches()
	return piCount{
		at:       time.Now(),
		readings: edge.Metric(b, "cityflow_edge_buffer_readings_total"),
		syncs:    edge.Metric(b, "cityflow_edge_buffer_syncs_total"),
		written:  float64(edge.WrittenBytes(b)),
		uplink:   float64(bytes),
	}
}

func reportPi(b *testing.B, before, after piCount, resident int64) {
	b.Helper()
	seconds := after.at.Sub(before.at).Seconds()
	readings := after.readings - before.readings
	if due := piSensors * seconds; readings < 0.9*due {
		b.Errorf("%.0f readings were kept in %.0f s, want about %.0f: the emulated edge is too slow to be measured", readings, seconds, due)
	}
	b.Logf("%.0f readings in %.0f s", readings, seconds)
	bench("edge_arm64_rss_mib", float64(resident)/(1<<20), "MiB")
	bench("edge_fsyncs_per_s", (after.syncs-before.syncs)/seconds, "fsyncs/s")
	bench("edge_written_mb_per_h", (after.written-before.written)/1e6/seconds*3600, "MB/h")
	bench("edge_uplink_bytes_per_reading_1hz", (after.uplink-before.uplink)/readings, "bytes/reading")
}
