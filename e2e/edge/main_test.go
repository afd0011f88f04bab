package edge

import (
	"database/sql"
	"net"
	"os"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
)

// programs is the folder of the binaries, built once for all tests.
var programs string

func TestMain(m *testing.M) {
	os.Exit(system.RunBuilt(m, func(folder string) { programs = folder }, "./edge/cmd/edge", "./cloud/collector/cmd/collector")) //nolint:forbidigo // as TestMain must
}

// long says whether the proofs run at their full length.
func long() bool { return os.Getenv("CITYFLOW_E2E") == "long" }

// A centre is what an edge delivers to: a broker, a collector and a database.
type centre struct {
	broker    *rig.Server
	collector *system.Process
	db        *sql.DB
}

func startCentre(t *testing.T) *centre {
	t.Helper()
	postgres, redis := rig.StartPostgres(t, rig.PostgresOptions{Child: true}), rig.StartRedis(t)
	c := &centre{broker: rig.StartMosquitto(t)}
	dsn := postgres.Database(t)
	c.db = system.OpenPostgres(t, dsn)
	c.collector = system.Serve(t, programs+"collector", "--database-url", dsn, "--redis-url", "redis://"+redis.Addr()+"/0",
		"--broker-url", "tcp://"+c.broker.Addr())
	return c
}

// url is where an edge finds the broker.
func (c *centre) url() string { return "tcp://" + c.broker.Addr() }

// startEdge starts an agent that keeps its port over restarts.
func startEdge(t *testing.T, program, central, folder string) *system.Process {
	t.Helper()
	return system.Serve(t, program, "--edge-id", "E1", "--central-url", central, "--data-dir", folder,
		"--mqtt-addr", freeAddr(t), "--commit-interval", "20ms")
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// batches is how many batches the edge still keeps for the centre.
func batches(t *testing.T, edge *system.Process) float64 {
	return edge.Metric(t, "cityflow_edge_buffer_batches")
}

// wantStored waits until the edge has nothing left, and compares what the database
// holds with what the sensors know.
func (c *centre) wantStored(t *testing.T, edge *system.Process, sensors []*sensor) {
	t.Helper()
	system.Within(t, 5*time.Minute, "the edge has forgotten everything", func() bool { return batches(t, edge) == 0 })
	stored := make(map[measurement]int)
	rows, err := c.db.QueryContext(t.Context(), `SELECT sensor_id, ts FROM traffic_raw`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var ts time.Time
		if err := rows.Scan(&id, &ts); err != nil {
			t.Fatal(err)
		}
		stored[measurement{id, ts.Unix()}]++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	compare(t, sensors, stored)
}
