package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// BenchmarkAPI prints the figures of the API. CITYFLOW_BENCH=long exports 10 million rows
// instead of one.
func BenchmarkAPI(b *testing.B) {
	rows := 1_000_000
	if os.Getenv("CITYFLOW_BENCH") == "long" {
		rows = 10_000_000
	}
	path := filepath.Join(b.TempDir(), "city.db")
	fill(b, path, rows)
	for b.Loop() {
		benchExport(b, path, rows)
		benchRequests(b, path)
		benchStreams(b, path)
	}
}

func report(name string, value float64, unit string) {
	fmt.Printf("BENCH %s %.4g %s\n", name, value, unit)
}

// fill makes a city with the given number of readings, the last of them of now.
func fill(b *testing.B, path string, rows int) {
	b.Helper()
	db, err := sqlite.Open(b.Context(), path, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	network := make([]traffic.Road, roads)
	for i := range network {
		lng := func(x float64) float64 { return (float64(i) + x) / 1000 }
		network[i] = traffic.Road{
			ID: roadID(i), Label: fmt.Sprint("Street ", i), Lat: traffic.Some(48.85), Lng: traffic.Some(lng(0.5)), Class: traffic.ClassPrimary,
			Geometry: [][]traffic.Point{{{Lat: 48.85, Lng: lng(0)}, {Lat: 48.851, Lng: lng(0.3)}, {Lat: 48.85, Lng: lng(0.7)}, {Lat: 48.85, Lng: lng(1)}}},
		}
	}
	if err := db.PutRoads(b.Context(), network); err != nil {
		b.Fatal(err)
	}
	const step = 5 * time.Minute
	at := time.Now().Truncate(step).Add(-time.Duration(rows/roads) * step)
	batch := make([]traffic.Reading, roads)
	for range rows / roads {
		at = at.Add(step)
		for i := range batch {
			batch[i] = state(i, at).Reading
		}
		if _, err := db.Append(b.Context(), store.Delivery{Readings: batch}); err != nil {
			b.Fatal(err)
		}
	}
}

// A process is a server and what is known of it.
type process struct {
	cmd          *exec.Cmd
	url, control string
	token        string
}

// start runs a server over the database until stop.
func start(b *testing.B, path string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), envDatabase+"="+path)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	public, control, ok := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || !ok {
		b.Fatalf("the server said %q: %v", line, err)
	}
	p.url, p.control = "http://"+public, "http://"+control
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if p.token, err = p.session("login", adminEmail, adminPassword); err != nil {
			continue
		}
		if resp := p.ask(b, "/api/traffic/live?limit=1", ""); resp.StatusCode == http.StatusOK {
			return p
		}
	}
	b.Fatal("the server does not answer")
	return nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// session logs in, or makes an account.
func (p *process) session(how, email, password string) (string, error) {
	body, _ := json.Marshal(map[string]string{"email": email, "password": password})
	resp, err := http.Post(p.url+"/api/auth/"+how, "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var s struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return "", err
	}
	if s.Token == "" {
		return "", fmt.Errorf("%s answered %d", how, resp.StatusCode)
	}
	return s.Token, nil
}

// ask reads an answer to its end.
func (p *process) ask(b *testing.B, path, tag string) *http.Response {
	b.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.url+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("If-None-Match", tag)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		b.Fatal(err)
	}
	return resp
}

func (p *process) move(b *testing.B, on int) {
	b.Helper()
	resp, err := http.Get(p.control + "/move?on=" + strconv.Itoa(on))
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
}

// status is a number of /proc/PID/status, in KiB.
func (p *process) status(b *testing.B, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skipf("only Linux tells what a process takes: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kib float64
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				b.Fatal(err)
			}
			return kib
		}
	}
	b.Fatalf("no %s", name)
	return 0
}

// benchExport reads everything in each format, as fast as it comes.
func benchExport(b *testing.B, path string, rows int) {
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		p := start(b, path)
		began := time.Now()
		from, to := began.AddDate(0, 0, -365), began.Add(time.Hour)
		resp := p.ask(b, fmt.Sprintf("/api/export/readings?format=%s&from=%s&to=%s", format, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)), "")
		took := time.Since(began)
		if resp.StatusCode != http.StatusOK {
			b.Fatalf("export answered %d", resp.StatusCode)
		}
		name := "export_" + format + "_"
		if format == "csv" {
			name = "export_"
		}
		report(name+"rows_per_s", float64(rows)/took.Seconds(), "rows/s")
		report(name+"rss_mib", p.status(b, "VmHWM")/1024, "MiB")
		p.stop()
	}
}

// benchRequests asks at a steady rate, whether or not answers come.
func benchRequests(b *testing.B, path string) {
	p := start(b, path)
	defer p.stop()
	const whole = "/api/roads?format=geojson"
	p.move(b, 1)
	latest := p.attack(b, whole, "", http.StatusOK)
	p.move(b, 0)
	time.Sleep(time.Second)
	unchanged := p.attack(b, whole, p.ask(b, whole, "").Header.Get("ETag"), http.StatusNotModified)
	page := p.attack(b, "/api/roads?limit=1000", "", http.StatusOK)
	report("api_roads_5000_p95_ms", latest, "ms")
	report("api_not_modified_p95_ms", unchanged, "ms")
	report("api_roads_page_1000_p95_ms", page, "ms")
}

// attack returns the 95th percentile in milliseconds of 200 requests a second.
func (p *process) attack(b *testing.B, path, tag string, want uint16) float64 {
	b.Helper()
	target := vegeta.Target{Method: http.MethodGet, URL: p.url + path, Header: http.Header{
		"Authorization": {"Bearer " + p.token}, "Accept-Encoding": {"gzip"}, "If-None-Match": {tag},
	}}
	var m vegeta.Metrics
	attacker := vegeta.NewAttacker(vegeta.MaxBody(0))
	for res := range attacker.Attack(vegeta.NewStaticTargeter(target), vegeta.Rate{Freq: 200, Per: time.Second}, 10*time.Second, path) {
		if res.Code != want {
			b.Fatalf("%s answered %d, want %d: %s", path, res.Code, want, res.Error)
		}
		m.Add(res)
	}
	m.Close()
	return float64(m.Latencies.P95.Microseconds()) / 1000
}
