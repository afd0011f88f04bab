package doctor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/edge/enrol"
	"github.com/2zrhun/city-flow/edge/uplink"
)

// A Verdict says how serious a finding is.
type Verdict string

// The verdicts. With a Fail the edge does not work, or will soon lose something.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// A Finding is one thing that was examined.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Name    string  `json:"name"`
	What    string  `json:"what"`
	// Do is what would help, empty when all is well.
	Do string `json:"do,omitempty"`
}

// Settings are those of the edge.
type Settings struct {
	DataDir string
	// BufferBytes is the bound of the buffer, which is in the folder buffer there.
	BufferBytes int64
	Broker      broker.Config
	// Identity is nil for an edge that was not enrolled.
	Identity *enrol.Identity
	// Uplink.URL is empty where the collector comes to the edge's own broker.
	Uplink uplink.Config
	// Patience is how long a collector may take to answer; 0 means 5 s.
	Patience time.Duration
}

// The limits of the examination.
const (
	// stepTimeout bounds one step that depends on others.
	stepTimeout = 5 * time.Second
	// expiresSoon is when a certificate that nobody renews is worth a word.
	expiresSoon = 21 * 24 * time.Hour
)

// Examine looks at everything and returns what it found, in the order of looking.
func Examine(ctx context.Context, s Settings) []Finding {
	r := &report{patience: cmp.Or(s.Patience, stepTimeout)}
	r.examineDisk(s)
	r.examineClock()
	running := r.examineBroker(ctx, s.Broker)
	r.examineBrokerTLS(s.Broker.TLS)
	r.examineIdentity(s)
	r.examineCentre(ctx, s, running)
	return r.findings
}

// Failed reports whether one of the findings is a Fail.
func Failed(findings []Finding) bool {
	for _, f := range findings {
		if f.Verdict == Fail {
			return true
		}
	}
	return false
}

// Print writes one line for each finding.
func Print(w io.Writer, findings []Finding) error {
	for _, f := range findings {
		line := fmt.Sprintf("%-4s %s: %s", f.Verdict, f.Name, f.What)
		if f.Do != "" {
			line += "; " + f.Do
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("print findings: %w", err)
		}
	}
	return nil
}

type report struct {
	findings []Finding
	patience time.Duration
}

func (r *report) add(v Verdict, name, what, do string) {
	r.findings = append(r.findings, Finding{v, name, what, do})
}

func (r *report) ok(name, format string, args ...any) {
	r.add(OK, name, fmt.Sprintf(format, args...), "")
}
