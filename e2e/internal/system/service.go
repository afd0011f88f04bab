package system

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"
)

// What a service says about its addresses, as JSON.
var (
	opsLine    = regexp.MustCompile(`"msg":"serving health.*"addr":"([^"]+)"`)
	apiLine    = regexp.MustCompile(`"msg":"serving the API.*"addr":"([^"]+)"`)
	brokerLine = regexp.MustCompile(`"msg":"serving MQTT.*"addr":"([^"]+)"`)
)

// Serve runs one of the services, with a free port for health and metrics, and waits
// until it has said where it listens. URL is where it serves the API when --api-addr is
// among the arguments, and health and metrics otherwise; MQTT is set when --mqtt-addr
// is among them. As with Start, the test's end kills it.
func Serve(t testing.TB, binary string, args ...string) *Process {
	t.Helper()
	return ServeUnder(t, []string{binary}, args...)
}

// ServeUnder is Serve for a binary that another program runs, such as an emulator;
// command is that program with its arguments, and the binary last.
func ServeUnder(t testing.TB, command []string, args ...string) *Process {
	t.Helper()
	own := append(slices.Clone(command[1:]), "--http-addr", "127.0.0.1:0", "--log-format", "json")
	p := Launch(t, command[0], append(own, args...)...)
	p.listen(t, 0)
	return p
}

// Restart starts a process that was killed or stopped with the arguments that it had
// before, and waits until it has said where it listens now. Its log goes on.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	from := len(p.errors())
	p.launch(t)
	p.listen(t, from)
}

// listen waits for the lines that name the addresses, after the first from bytes of
// the log.
func (p *Process) listen(t testing.TB, from int) {
	t.Helper()
	line := opsLine
	if slices.Contains(p.args, "--api-addr") {
		line = apiLine
	}
	hasBroker := slices.Contains(p.args, "--mqtt-addr")
	deadline := time.After(StartTimeout)
	for {
		log := p.errors()[from:]
		web, mqtt := line.FindStringSubmatch(log), brokerLine.FindStringSubmatch(log)
		if web != nil && (mqtt != nil || !hasBroker) {
			p.URL, p.Printed = "http://"+web[1], time.Now()
			if hasBroker {
				p.MQTT = mqtt[1]
			}
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("%s ended before it listened: %v\n%s", p.binary, p.err, p.Log())
		case <-deadline:
			t.Fatalf("%s did not say within %s where it listens\n%s", p.binary, StartTimeout, p.Log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (p *Process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Readiness is what /readyz says: whether all of the process's work can be done, and
// what is missing, by name.
type Readiness struct {
	Status  int               `json:"-"`
	Ready   bool              `json:"ready"`
	Missing map[string]string `json:"missing"`
}

// Complete says that nothing is missing.
func (r Readiness) Complete() bool {
	return r.Status == http.StatusOK && r.Ready && len(r.Missing) == 0
}

// Readiness asks /readyz.
func (p *Process) Readiness(t testing.TB) Readiness {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := Readiness{Status: res.StatusCode}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("readyz: %v in %q", err, body)
	}
	return r
}
