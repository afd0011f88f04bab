package e2e

import (
	"cmp"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
)

// A cluster is CityFlow as services: two edges, two collectors and the rest of the
// centre, each a process of its own, around a real PostgreSQL, Redis and Mosquitto.
type cluster struct {
	folder string // of the binaries

	postgres  *rig.PostgresServer
	redis     *rig.Server
	mosquitto *rig.Server
	db        *sql.DB

	north, south        *system.Process // edges
	collectors          [2]*system.Process
	predictor, rerouter *system.Process
	api                 *system.Process

	// want is what traffic_raw has to hold.
	want tally
}

// A tally names a set of readings well enough to notice a lost, doubled or altered one.
type tally struct {
	readings int
	speeds   float64 // the sum, km/h
}

func (a *tally) add(b tally) {
	a.readings += b.readings
	a.speeds += b.speeds
}

// TestServices takes readings through the services and, with CITYFLOW_E2E=long, does to
// them what happens to services.
func TestServices(t *testing.T) {
	c := startCluster(t)
	steps := []step{
		{"each reading is stored once", c.storesEachReadingOnce},
		{"the API answers", c.answers},
		{"the stream goes on", c.streams},
	}
	if os.Getenv("CITYFLOW_E2E") == "long" {
		steps = append(steps, c.faults()...)
	}
	steps = append(steps, step{"all stop in order", c.stop})
	for _, s := range steps {
		if !t.Run(s.name, s.run) {
			return // what follows builds on it
		}
	}
}

// A step works on the cluster that the steps before it have left.
type step struct {
	name string
	run  func(*testing.T)
}

// startCluster builds and starts everything, the two collectors on a database that
// nobody has prepared, and waits until nobody misses anything.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{folder: t.TempDir() + string(filepath.Separator)}
	err := system.Build(t.Context(), c.folder, "./edge/cmd/edge", "./cloud/collector/cmd/collector",
		"./cloud/predictor/cmd/predictor", "./cloud/rerouter/cmd/rerouter", "./cloud/api/cmd/api", "./simulator/cmd/simulator")
	if err != nil {
		t.Fatal(err)
	}
	c.postgres = rig.StartPostgres(t, rig.PostgresOptions{Child: true})
	c.redis, c.mosquitto = rig.StartRedis(t), rig.StartMosquitto(t)
	dsn := c.postgres.Database(t)
	c.db = system.OpenPostgres(t, dsn)
	centre := []string{"--database-url", dsn, "--redis-url", "redis://" + c.redis.Addr() + "/0"}
	serve := func(program string, args ...string) *system.Process {
		return system.Serve(t, c.folder+program, args...)
	}
	for i := range c.collectors {
		c.collectors[i] = serve("collector", append(centre, "--broker-url", "tcp://"+c.mosquitto.Addr(), "--instance", fmt.Sprint("c", i))...)
	}
	c.predictor = serve("predictor", centre...)
	c.rerouter = serve("rerouter", append(centre, "--roads", town(t), "--poll", "1s")...)
	c.api = serve("api", append(centre, "--api-addr", "127.0.0.1:0", "--token-key", strings.Repeat("k", 32))...)
	for name, edge := range map[string]**system.Process{"north": &c.north, "south": &c.south} {
		*edge = serve("edge", "--edge-id", name, "--central-url", "tcp://"+c.mosquitto.Addr(),
			"--data-dir", t.TempDir(), "--mqtt-addr", "127.0.0.1:0")
	}
	c.waitReady(t)
	return c
}

// all are the processes in the order in which they stop: against the flow of data
// nothing would be lost either, but this is how an operator does it.
func (c *cluster) all() []*system.Process {
	return []*system.Process{c.north, c.south, c.collectors[0], c.collectors[1], c.predictor, c.rerouter, c.api}
}

func (c *cluster) waitReady(t *testing.T) {
	t.Helper()
	system.Within(t, 2*time.Minute, "everybody has what they need", func() bool {
		return !slices.ContainsFunc(c.all(), func(p *system.Process) bool { return !p.Readiness(t).Complete() })
	})
}

// town is a street, Boulevard de l'Est, with another way round: roads 1, 2 and 3 in a
// row, and 4 and 5 past road 2. It is a file in the form of the Paris reference.
func town(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("Identifiant arc;Date debut dispo data;Date fin dispo data;Libelle;Identifiant noeud aval;Libelle noeud aval;" +
		"Identifiant noeud amont;Libelle noeud amont;geo_point_2d;geo_shape\n")
	for _, r := range []struct{ arc, label, from, to, line string }{
		{"1", "Bd de l'Est", "10", "11", "[2.350,48.850],[2.354,48.850]"},
		{"2", "Bd de l'Est", "11", "12", "[2.354,48.850],[2.362,48.850]"},
		{"3", "Bd de l'Est", "12", "13", "[2.362,48.850],[2.366,48.850]"},
		{"4", "Rue du Nord", "11", "14", "[2.354,48.850],[2.355,48.852]"},
		{"5", "Rue du Nord", "14", "12", "[2.355,48.852],[2.362,48.850]"},
	} {
		fmt.Fprintf(&b, "%s;;;%s;%s;x;%s;y;;\"{\"\"coordinates\"\": [%s], \"\"type\"\": \"\"LineString\"\"}\"\n", r.arc, r.label, r.to, r.from, r.line)
	}
	return system.WriteFile(t, "town.csv", b.String())
}

// A table is a recorded file in the making.
type table struct {
	rows strings.Builder
	tally
}

func (b *table) row(at time.Time, sensor string, speed, occupancy float64) {
	fmt.Fprintf(&b.rows, "%s;%s;%g;%g\n", at.Format(time.RFC3339), sensor, speed, occupancy)
	b.add(tally{1, speed})
}

func (b *table) file(t *testing.T) string {
	t.Helper()
	return system.WriteFile(t, "counts.csv", "time;sensor;speed;occ\n"+b.rows.String())
}

// play starts a simulator that plays a table to an edge. It ends, with code 0, when the
// edge has acknowledged every reading.
func (c *cluster) play(t *testing.T, edge *system.Process, b *table, speed string) *system.Process {
	t.Helper()
	c.want.add(b.tally)
	return system.Launch(t, c.folder+"simulator", "run", "--source", "replay", "--file", b.file(t), "--speed", speed,
		"--columns", "ts=time,sensor=sensor,speed=speed,occupancy=occ", "--broker-url", "tcp://"+edge.MQTT)
}

// acknowledged waits for the simulators to end well.
func acknowledged(t *testing.T, simulators ...*system.Process) {
	t.Helper()
	for _, s := range simulators {
		if code := s.ExitCode(t); code != 0 {
			t.Fatalf("the simulator ended with code %d\n%s", code, s.Log())
		}
	}
}

// publish sends one reading with mosquitto_pub, as the README shows.
func publish(t *testing.T, edge *system.Process, qos int, sensor, ts string, speed float64) {
	t.Helper()
	host, port, err := net.SplitHostPort(edge.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-q", fmt.Sprint(qos),
		"-t", "cityflow/traffic/"+sensor, "-m", fmt.Sprintf(`{"ts":%q,"sensor_id":%q,"speed_kmh":%g,"occupancy":0.2}`, ts, sensor, speed))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub -q %d: %v\n%s", qos, err, out)
	}
}

// stored looks into traffic_raw, past everything that the services say. The error is
// that of a database that does not answer.
func (c *cluster) stored(t *testing.T) (got tally, err error) {
	t.Helper()
	var distinct int
	err = c.db.QueryRowContext(t.Context(), `SELECT count(*), count(DISTINCT (sensor_id, ts)), coalesce(sum(speed_kmh), 0)
		FROM traffic_raw`).Scan(&got.readings, &distinct, &got.speeds)
	if err == nil && distinct != got.readings {
		t.Fatalf("%d rows for %d distinct readings", got.readings, distinct)
	}
	return got, err
}

// waitStored waits until the database holds what was sent and the edges nothing more.
// Then what could still come has come.
func (c *cluster) waitStored(t *testing.T) {
	t.Helper()
	var got tally
	var err error
	defer func() {
		if t.Failed() {
			t.Errorf("traffic_raw: %+v, %v; want %+v", got, err, c.want)
		}
	}()
	system.Within(t, 5*time.Minute, "every reading is stored and the edges have forgotten it", func() bool {
		got, err = c.stored(t)
		return err == nil && got.readings >= c.want.readings && c.waiting(t) == 0
	})
	if got, err = c.stored(t); err != nil || got != c.want {
		t.Error("not each reading once")
	}
}

// waiting is how many batches the edges keep for the centre.
func (c *cluster) waiting(t *testing.T) float64 {
	t.Helper()
	const batches = "cityflow_edge_buffer_batches"
	return c.north.Metric(t, batches) + c.south.Metric(t, batches)
}

// morning is where the event time of the tests begins.
func morning() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// storesEachReadingOnce plays half an hour in which road 2 jams, to both edges at once,
// and one reading of another road in every way that there is.
func (c *cluster) storesEachReadingOnce(t *testing.T) {
	var north, south table
	for i := range 7 {
		at := morning().Add(time.Duration(i) * 5 * time.Minute)
		north.row(at, "PARIS-1", 42, 0.08)
		north.row(at, "PARIS-2", float64(10-i), 0.3+0.04*float64(i))
		south.row(at, "PARIS-3", 44, 0.07)
		south.row(at, "PARIS-4", 40, 0.06)
		south.row(at, "PARIS-5", 41, 0.06)
	}
	acknowledged(t, c.play(t, c.north, &north, "max"), c.play(t, c.south, &south, "max"))
	for _, edge := range []*system.Process{c.north, c.south} {
		for qos := range 3 {
			publish(t, edge, qos, "loop-7", "2026-03-02T08:20:00Z", 31)
		}
	}
	c.want.add(tally{1, 31})
	c.waitStored(t)
	system.Eventually(t, "the collectors have counted the copies", func() bool {
		return c.counted(t, "cityflow_collector_messages_received_total") == float64(c.want.readings+5)
	})
	if n := c.counted(t, "cityflow_collector_messages_stored_total"); n != float64(c.want.readings) {
		t.Errorf("the collectors count %v stored readings, want %d", n, c.want.readings)
	}
}

// counted sums a metric of the collectors.
func (c *cluster) counted(t *testing.T, metric string) float64 {
	t.Helper()
	return c.collectors[0].Metric(t, metric) + c.collectors[1].Metric(t, metric)
}

type (
	roadState struct {
		Road  string   `json:"road_id"`
		TS    string   `json:"ts"`
		Speed float64  `json:"speed_kmh"`
		Score *float64 `json:"congestion_score"`
	}
	forecast struct {
		Road  string  `json:"road_id"`
		TS    string  `json:"ts"`
		Score float64 `json:"congestion_score"`
	}
	advice struct {
		Route string  `json:"route_id"`
		Alt   string  `json:"alt_route_id"`
		Gain  float64 `json:"eta_gain_min"`
	}
)

// answers asks the API for everything that the jam has led to.
func (c *cluster) answers(t *testing.T) {
	client := c.api.Login(t)
	type road struct {
		ID    string     `json:"road_id"`
		Label string     `json:"label"`
		State *roadState `json:"state"`
	}
	system.Eventually(t, "five roads of the network and one that only sends", func() bool {
		roads := system.All[road](t, client, "/api/roads")
		return len(roads) == 6 && !slices.ContainsFunc(roads, func(r road) bool { return r.State == nil })
	})
	roads := system.All[road](t, client, "/api/roads")
	if i := slices.IndexFunc(roads, func(r road) bool { return r.ID == "PARIS-2" }); i < 0 ||
		roads[i].Label != "Bd de l'Est" || roads[i].State.Speed != 4 || roads[i].State.TS != "2026-03-02T08:30:00Z" {
		t.Errorf("the jammed road is missing or not as sent: %+v", roads)
	}
	live := system.All[roadState](t, client, "/api/traffic/live")
	if len(live) != 6 || slices.ContainsFunc(live, func(r roadState) bool { return r.Score == nil }) {
		t.Errorf("live: %+v", live)
	}
	var newest []forecast
	system.Eventually(t, "the newest cycle's forecasts", func() bool {
		newest = system.All[forecast](t, client, "/api/predictions?horizon=30")
		return len(newest) == 6 && !slices.ContainsFunc(newest, func(f forecast) bool { return f.TS < "2026-03-02T08:30:00Z" })
	})
	worst := slices.MaxFunc(newest, func(a, b forecast) int { return cmp.Compare(a.Score, b.Score) })
	if worst.Road != "PARIS-2" {
		t.Errorf("the worst forecast is that of %s, want PARIS-2: %+v", worst.Road, newest)
	}
	var detours []advice
	system.Eventually(t, "advice", func() bool {
		detours = system.All[advice](t, client, "/api/reroutes/recommended")
		return len(detours) > 0
	})
	if len(detours) != 1 || detours[0].Route != "PARIS-2" || detours[0].Alt != "PARIS-4" || detours[0].Gain < 1 {
		t.Errorf("advice: %+v, want one round PARIS-2 over PARIS-4", detours)
	}
}

// streams opens the live stream, wants everything in its first message, and then a new
// reading that comes in at an edge.
func (c *cluster) streams(t *testing.T) {
	s := openStream(t, c.api)
	if first := s.next(t); first.Type != "snapshot" || len(first.snapshot(t).Roads) != 6 || len(first.snapshot(t).Predictions) != 6 || len(first.snapshot(t).Reroutes) != 1 {
		t.Fatalf("the stream begins with %s %s", first.Type, first.Data)
	}
	c.news(t, s, "2026-03-02T08:31:00Z")
	c.waitStored(t)
}

// news publishes a reading to the northern edge and waits for it on the stream.
func (c *cluster) news(t *testing.T, s *stream, ts string) {
	t.Helper()
	publish(t, c.north, 1, "PARIS-1", ts, 39)
	c.want.add(tally{1, 39})
	s.waitFor(t, "PARIS-1", ts)
}

// stop ends every process the way a service manager does.
func (c *cluster) stop(t *testing.T) {
	for _, p := range c.all() {
		p.Stop(t)
	}
	if got, err := c.stored(t); err != nil || got != c.want {
		t.Errorf("traffic_raw at the end: %+v, %v; want %+v", got, err, c.want)
	}
}
