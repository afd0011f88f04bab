package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/replay"
)

// history is a recorded file written by hand: two sensors and six five-minute rows each,
// the second of them in a jam. Its third row is broken.
func history(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("time;sensor;speed;occ\n")
	for i := range 6 {
		speed := "47"
		if i == 1 {
			speed = "fast"
		}
		fmt.Fprintf(&b, "2026-03-02T08:%02d:00Z;A1;%s;0.08\n", 5*i, speed)
		fmt.Fprintf(&b, "2026-03-02T08:%02d:00Z;B2;%d;0.%d\n", 5*i, 20-2*i, 30+5*i)
	}
	return system.WriteFile(t, "counts.csv", b.String())
}

var historyColumns = []string{"--source", "replay", "--speed", "max", "--columns", "ts=time,sensor=sensor,speed=speed,occupancy=occ"}

// TestReplayAnswersEverywhere replays a file as the README says and asks every address
// of the API that shows data.
func TestReplayAnswersEverywhere(t *testing.T) {
	file := history(t)
	dir := t.TempDir()
	p := system.Start(t, binary, dir, append(historyColumns, "--file", file)...)
	c := p.Login(t)
	system.Eventually(t, "11 readings stored", func() bool {
		return p.Metric(t, "cityflow_collector_messages_stored_total") == 11
	})

	type reading struct {
		Road  string   `json:"road_id"`
		TS    string   `json:"ts"`
		Score *float64 `json:"congestion_score"`
		Speed *float64 `json:"speed_kmh"`
	}
	live := system.All[reading](t, c, "/api/traffic/live")
	if len(live) != 2 || live[0].Road != "A1" || live[1].Road != "B2" || live[1].TS != "2026-03-02T08:25:00Z" {
		t.Fatalf("live: %+v", live)
	}
	if live[0].Score == nil || live[1].Score == nil || *live[0].Score >= *live[1].Score {
		t.Errorf("the jammed road does not score above the free one: %+v", live)
	}
	if past := system.All[reading](t, c, "/api/traffic/live?road_id=B2"); len(past) != 6 || past[0].TS < past[5].TS {
		t.Errorf("readings of one road, newest first: %+v", past)
	}
	system.Eventually(t, "both roads are listed", func() bool {
		return len(system.All[reading](t, c, "/api/roads")) == 2
	})
	type bucket struct {
		Start string `json:"ts"`
	}
	buckets := system.All[bucket](t, c, "/api/traffic/history?road_id=B2&from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&width=15m")
	if len(buckets) != 2 {
		t.Errorf("history in quarters of an hour: %+v", buckets)
	}
	checkForecasts(t, c)
	if got := system.All[map[string]any](t, c, "/api/reroutes/recommended"); len(got) != 0 {
		t.Errorf("advice without a road network: %v", got)
	}
	checkSnapshot(t, p, c)
	checkRejectedRow(t, p, c, dir, file)
}

func checkForecasts(t *testing.T, c *system.Client) {
	t.Helper()
	type prediction struct {
		Road   string  `json:"road_id"`
		TS     string  `json:"ts"`
		Target string  `json:"target_ts"`
		Score  float64 `json:"congestion_score"`
		Model  string  `json:"model_version"`
	}
	var newest []prediction
	system.Eventually(t, "the newest cycle's forecasts", func() bool {
		newest = system.All[prediction](t, c, "/api/predictions?horizon=30")
		return len(newest) == 2 && newest[1].TS == "2026-03-02T08:30:00Z"
	})
	if newest[1].Road != "B2" || newest[1].Target != "2026-03-02T09:00:00Z" || newest[1].Model != "ewma-lr-v2" {
		t.Errorf("forecast: %+v", newest[1])
	}
	if newest[1].Score <= newest[0].Score {
		t.Errorf("the road that jams more and more is forecast better than the free one: %+v", newest)
	}
	for _, h := range []int{5, 15, 60} {
		if got := system.All[prediction](t, c, fmt.Sprintf("/api/predictions?horizon=%d", h)); len(got) != 2 {
			t.Errorf("horizon %d: %+v", h, got)
		}
	}
}

// checkSnapshot opens the live stream as any client would.
func checkSnapshot(t *testing.T, p *system.Process, c *system.Client) {
	t.Helper()
	url := strings.Replace(p.URL, "http://", "ws://", 1) + "/ws/live?token=" + c.Token()
	conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer res.Body.Close()
	var first struct {
		Type string `json:"type"`
	}
	if err := conn.ReadJSON(&first); err != nil || first.Type != "snapshot" {
		t.Errorf("the stream begins with %q, %v, want a snapshot", first.Type, err)
	}
}

// checkRejectedRow wants the broken row to be listed with its place, over the API and,
// once the process has stopped, on the command line.
func checkRejectedRow(t *testing.T, p *system.Process, c *system.Client, dir, file string) {
	t.Helper()
	type rejected struct {
		Origin string `json:"origin"`
		Detail string `json:"detail"`
	}
	var list []rejected
	system.Eventually(t, "the rejected row is listed", func() bool {
		list = system.All[rejected](t, c, "/api/rejected")
		return len(list) > 0
	})
	if len(list) != 1 || !strings.HasSuffix(list[0].Origin, "counts.csv:4") || !strings.Contains(list[0].Detail, "fast") {
		t.Errorf("rejected: %+v, want one from line 4 of %s that names the value", list, file)
	}
	p.Stop(t)
	cmd := system.Launch(t, binary, "rejected", "list", "--data-dir", dir)
	if code := cmd.ExitCode(t); code != 0 || !strings.Contains(cmd.Output(), "counts.csv:4") {
		t.Errorf("cityflow rejected list: code %d\n%s", code, cmd.Log())
	}
}

// TestRestartGoesOnWhereItWas kills the process in the middle of a replay, as a power
// cut would, and starts it again: nothing that was stored is lost or doubled.
func TestRestartGoesOnWhereItWas(t *testing.T) {
	var b strings.Builder
	b.WriteString("time;sensor;speed\n")
	const sensors, rows = 40, 600
	for i := range rows {
		for s := range sensors {
			fmt.Fprintf(&b, "2026-03-%02dT%02d:%02d:00Z;S%02d;%d\n", 2+i/288, i/12%24, 5*(i%12), s, 30+(i+s)%40)
		}
	}
	file := system.WriteFile(t, "big.csv", b.String())
	dir := t.TempDir()
	args := []string{"--source", "replay", "--speed", "max", "--columns", "ts=time,sensor=sensor,speed=speed", "--file", file}
	for _, stored := range []float64{1, sensors * rows / 3} {
		p := system.Start(t, binary, dir, args...)
		system.Eventually(t, "a part of the readings is stored", func() bool {
			return p.Metric(t, "cityflow_collector_messages_stored_total") >= stored
		})
		p.Kill()
	}
	p := system.Start(t, binary, dir, args...)
	c := p.Login(t)
	db := filepath.Join(dir, "cityflow.db")
	system.Eventually(t, "every reading is stored", func() bool { return countReadings(t, db) >= sensors*rows })
	want := fmt.Sprintf("2026-03-%02dT%02d:55:00Z", 2+(rows-1)/288, (rows-1)/12%24)
	system.Eventually(t, "the last reading of every sensor", func() bool {
		type reading struct {
			TS string `json:"ts"`
		}
		live := system.All[reading](t, c, "/api/traffic/live")
		return len(live) == sensors && !slices.ContainsFunc(live, func(r reading) bool { return r.TS != want })
	})
	p.Stop(t)
	if n := countReadings(t, db); n != sensors*rows {
		t.Errorf("%d readings stored, want each of %d once", n, sensors*rows)
	}
}

// TestReplayGoesOnAfterAStop stops a paced replay in the middle and wants the next
// start to go on there and not to begin anew.
func TestReplayGoesOnAfterAStop(t *testing.T) {
	var b strings.Builder
	b.WriteString("time;sensor;speed\n")
	const minutes = 240
	for i := range minutes {
		fmt.Fprintf(&b, "2026-03-02T%02d:%02d:00Z;S;%d\n", 8+i/60, i%60, 30+i%20)
	}
	file := system.WriteFile(t, "slow.csv", b.String())
	dir := t.TempDir()
	start := func(speed string) *system.Process {
		return system.Start(t, binary, dir, "--source", "replay", "--speed", speed,
			"--columns", "ts=time,sensor=sensor,speed=speed", "--file", file)
	}
	p := start("600") // ten minutes a second
	system.Eventually(t, "twenty minutes are played", func() bool {
		return p.Metric(t, "cityflow_collector_messages_stored_total") >= 20
	})
	p.Stop(t)
	before := countReadings(t, filepath.Join(dir, "cityflow.db"))

	p = start("max")
	system.Eventually(t, "the rest is played", func() bool {
		return p.Metric(t, "cityflow_collector_messages_stored_total") == float64(minutes-before)
	})
	if !strings.Contains(p.Output(), "going on at 2026-03-02T") {
		t.Errorf("the start does not say where it goes on:\n%s", p.Output())
	}
	if again := p.Metric(t, "cityflow_collector_duplicates_total"); again > 1 {
		t.Errorf("%v readings were sent a second time", again)
	}
	p.Stop(t)
	p = start("max")
	if !strings.Contains(p.Output(), "to its end before") {
		t.Errorf("the third start does not say that there is nothing left:\n%s", p.Output())
	}
}

// TestRealFilesThroughTheWholePath replays the public recordings that the benchmark
// measures, without measuring, and wants every valid reading stored once. The short form
// leaves the last one, twelve years by the hour, to the benchmark, which counts too.
func TestRealFilesThroughTheWholePath(t *testing.T) {
	all := recordings(t)
	if os.Getenv("CITYFLOW_E2E") != "long" {
		all = all[:len(all)-1]
	}
	for _, rec := range all {
		t.Run(rec.name, func(t *testing.T) {
			through(t, binary, rec, distinctReadings(t, rec))
		})
	}
}

// distinctReadings counts the (sensor, time) that a recording holds a measurement for.
func distinctReadings(t *testing.T, rec recording) int {
	t.Helper()
	src, err := replay.Open(rec.cfg, replay.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	type key struct {
		sensor traffic.SensorID
		at     int64
	}
	seen := make(map[key]struct{}, rec.rows)
	err = src.Run(t.Context(), func(_ context.Context, rs []traffic.Reading) error {
		for i := range rs {
			seen[key{rs[i].Sensor, rs[i].At.UnixMicro()}] = struct{}{}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(seen)
}
