package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/replay"
)

// directBatch is the batch size of the comparison: the same rows straight into the
// same schema.
const directBatch = 1000

// A recording is one part of the benchmark's data.
type recording struct {
	name string
	cfg  replay.Config
	args []string
	// rows is how many the files hold, measured or not.
	rows int
}

// recordings are the five Los Angeles days and the three Paris histories.
func recordings(t testing.TB) []recording {
	t.Helper()
	la := replay.DefaultConfig()
	la.Files = []string{system.Data(t, "los-loop-metr-la-week1", "los_speed_day1-5.csv.gz")}
	la.Units, la.TZ, la.Start, la.Step, la.Speed = "mph", "America/Los_Angeles", "2012-03-01T00:00:00", 5*time.Minute, "max"
	la.Places = system.Data(t, "los-loop-metr-la-week1", "graph_sensor_locations.csv")

	paris := replay.DefaultConfig()
	paris.Speed = "max"
	for _, f := range []string{"champs_elysees_arc4264", "convention_arc5672", "st_antoine_arc376"} {
		paris.Files = append(paris.Files, system.Data(t, "paris-counts-history", f+"_2010-2022.csv.gz"))
	}
	return []recording{
		{name: "los angeles", cfg: la, rows: 298_080, args: append(fileArgs(la), "--units", la.Units, "--tz", la.TZ,
			"--start", la.Start, "--step", la.Step.String(), "--places", la.Places)},
		{name: "paris", cfg: paris, rows: 342_960, args: append(fileArgs(paris),
			"--roads", system.Data(t, "paris-referentiel", "referentiel-comptages-routiers.geojson.gz"))},
	}
}

func fileArgs(cfg replay.Config) []string {
	args := []string{"--source", "replay", "--speed", cfg.Speed}
	for _, f := range cfg.Files {
		args = append(args, "--file", f)
	}
	return args
}

// direct writes a recording straight into a new SQLite store, in batches of
// directBatch, and returns how many distinct readings it holds and how long the
// writing took, reading the files not included.
func direct(t testing.TB, rec recording) (distinct int, took time.Duration) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "direct.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	src, err := replay.Open(rec.cfg, replay.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]traffic.Reading, 0, directBatch)
	write := func(ctx context.Context) error {
		began := time.Now()
		done, err := st.Append(ctx, store.Delivery{Readings: batch})
		took += time.Since(began)
		distinct += done.New
		batch = batch[:0]
		return err
	}
	err = src.Run(t.Context(), func(ctx context.Context, rs []traffic.Reading) error {
		for _, r := range rs {
			if batch = append(batch, r); len(batch) == directBatch {
				if err := write(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && len(batch) > 0 {
		err = write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return distinct, took
}

// A run is what one replay through the whole path measured.
type run struct {
	rows            int
	stored, settled time.Duration
	rss             int64
}

// through replays a recording through a real process and returns when every distinct
// reading is stored; settled is when the forecasts have caught up too.
func through(t testing.TB, binary string, rec recording, distinct int) run {
	t.Helper()
	dir := t.TempDir()
	p := system.Start(t, binary, dir, rec.args...)
	r := run{rows: rec.rows}
	began := p.Started
	system.Within(t, 10*time.Minute, fmt.Sprintf("%d readings stored", distinct), func() bool {
		return p.Metric(t, "cityflow_collector_messages_stored_total") >= float64(distinct)
	})
	r.stored = time.Since(began)
	last := -1.0
	system.Within(t, 10*time.Minute, "forecasts have caught up", func() bool {
		now := p.Metric(t, "cityflow_predictor_predictions_generated_total")
		done := now == last && p.Metric(t, "cityflow_predictor_lag_seconds") <= 600
		last = now
		if !done {
			time.Sleep(500 * time.Millisecond)
		}
		return done
	})
	r.settled = time.Since(began)
	r.rss = p.PeakRSS(t)
	p.Stop(t)
	if n := countReadings(t, filepath.Join(dir, "cityflow.db")); n != distinct {
		t.Errorf("%s: %d readings are in the database, want each of %d once", rec.name, n, distinct)
	}
	return r
}

// countReadings looks into the database of a process that has stopped, past
// everything that the process says about itself.
func countReadings(t testing.TB, path string) int {
	t.Helper()
	db := system.OpenDatabase(t, path)
	defer db.Close()
	var n, keys int
	err := db.QueryRowContext(t.Context(), `SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT sensor_id, ts FROM traffic_raw)) FROM traffic_raw`).Scan(&n, &keys)
	if err != nil {
		t.Fatal(err)
	}
	if n != keys {
		t.Errorf("%d rows for %d distinct readings", n, keys)
	}
	return n
}

// startToMap starts an empty city and returns how long it took until the page, its
// script and a coloured road could be fetched.
func startToMap(t testing.TB, binary string) time.Duration {
	t.Helper()
	p := system.Start(t, binary, t.TempDir(), "--source", "city")
	c := p.Login(t)
	system.Eventually(t, "a coloured map", func() bool {
		var live system.List[struct {
			Score *float64 `json:"congestion_score"`
		}]
		c.Get(t, "/api/traffic/live?limit=1000", &live)
		coloured := 0
		for _, r := range live.Data {
			if r.Score != nil {
				coloured++
			}
		}
		return coloured > 500
	})
	for _, path := range []string{"/", "/api/roads?format=geojson"} {
		if code := c.Status(t, path); code != http.StatusOK {
			t.Fatalf("GET %s: %d", path, code)
		}
	}
	return time.Since(p.Started)
}

// BenchmarkPipeline replays the recordings through the whole path and beside it writes
// the same rows straight into the same schema.
func BenchmarkPipeline(b *testing.B) {
	for b.Loop() {
		benchPipeline(b)
	}
}

func benchPipeline(b *testing.B) {
	b.Helper()
	var (
		rows              int
		stored, plain     time.Duration
		settled, distinct = time.Duration(0), 0
		rss               int64
	)
	for _, rec := range recordings(b) {
		n, took := direct(b, rec)
		r := through(b, binary, rec, n)
		b.Logf("%s: %d rows, %d distinct readings; direct %s; stored after %s, forecasts after %s, peak %d MiB",
			rec.name, rec.rows, n, took.Round(time.Millisecond), r.stored.Round(time.Millisecond), r.settled.Round(time.Millisecond), r.rss>>20)
		rows, distinct = rows+r.rows, distinct+n
		stored, settled, plain = stored+r.stored, settled+r.settled, plain+took
		rss = max(rss, r.rss)
	}
	start := startToMap(b, binary)
	rate := float64(distinct) / stored.Seconds()
	b.Logf("%d rows, %d distinct valid readings, each stored once", rows, distinct)
	bench("pipeline_readings_per_s", rate, "readings/s")
	bench("pipeline_with_forecasts_readings_per_s", float64(distinct)/settled.Seconds(), "readings/s")
	bench("direct_sqlite_readings_per_s", float64(distinct)/plain.Seconds(), "readings/s")
	bench("pipeline_vs_sqlite", rate/(float64(distinct)/plain.Seconds()), "ratio")
	bench("pipeline_rss_mib", float64(rss)/(1<<20), "MiB")
	bench("pipeline_start_s", start.Seconds(), "s")
}

func bench(name string, value float64, unit string) {
	fmt.Printf("BENCH %s %.4g %s\n", name, value, unit)
}
