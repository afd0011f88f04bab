package page

import (
	"bytes"
	"context"
	_ "embed" // for the template
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/2zrhun/city-flow/edge/agent"
	"github.com/2zrhun/city-flow/shared/traffic"
)

//go:embed page.html
var source string

// A Source is what the page shows; an agent is one.
type Source interface {
	Status() agent.Status
	Latest() []agent.LastValue
	// CheckUplink returns why the centre is not connected.
	CheckUplink(ctx context.Context) error
}

// A Page answers GET /. Make it with New.
type Page struct {
	from     Source
	template *template.Template
	log      *slog.Logger
}

// New makes the page. A nil log discards.
func New(from Source, log *slog.Logger) (*Page, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"age": age, "value": value, "percent": percent, "mib": mib, "level": level,
	}).Parse(source)
	if err != nil {
		return nil, fmt.Errorf("read template of the page: %w", err)
	}
	return &Page{from: from, template: t, log: log.With("component", "page")}, nil
}

// view is what the template sees.
type view struct {
	agent.Status
	// Why is the reason for which the centre is not connected, empty when it is.
	Why string
	// Full is the share of the buffer that is taken, 0 to 1.
	Full float64
	// Lag is the age of the oldest batch in the buffer.
	Lag    time.Duration
	Uptime time.Duration
	// Offset is how far the centre's clock is ahead, where that is known.
	Offset    time.Duration
	HasOffset bool
	// DaysLeft is for how long the certificate is good.
	DaysLeft int
	Values   []agent.LastValue
}

// ServeHTTP shows the page at / and nothing elsewhere.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	var out bytes.Buffer
	if err := p.template.Execute(&out, p.look(r.Context())); err != nil {
		p.log.Error("the page cannot be shown", "error", err)
		http.Error(w, "the page cannot be shown; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(out.Bytes()) // the reader is gone: nobody to tell
}

func (p *Page) look(ctx context.Context) view {
	v := view{Status: p.from.Status(), Values: p.from.Latest()}
	if err := p.from.CheckUplink(ctx); err != nil {
		v.Why = err.Error()
	}
	v.Uptime = asDuration(v.UptimeS)
	if b := v.Buffer; b != nil {
		v.Lag = asDuration(b.LagS)
		if b.MaxBytes > 0 {
			v.Full = min(1, float64(b.Bytes)/float64(b.MaxBytes))
		}
	}
	if c := v.Clock; c != nil && c.OffsetS != nil {
		v.Offset, v.HasOffset = asDuration(*c.OffsetS), true
	}
	if c := v.Certificate; c != nil {
		v.DaysLeft = int(time.Until(c.NotAfter).Hours() / 24)
	}
	return v
}

func asDuration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// age is a duration as people say it, in its two largest units.
func age(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 0:
		return "-" + age(-d)
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%d days %d h", s/86400, s/3600%24)
	}
}

// value is a quantity, a dash where it was not measured.
func value(v traffic.Value, decimals int) string {
	f, ok := v.Get()
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.*f", decimals, f)
}

// percent is a share as a whole number of percent; absent is -1.
func percent(v any) int {
	switch v := v.(type) {
	case float64:
		return int(v*100 + 0.5)
	case traffic.Value:
		if f, ok := v.Get(); ok {
			return int(f*100 + 0.5)
		}
	}
	return -1
}

// level names how congested a score is, for eyes that do not tell colours apart, too.
func level(score traffic.Value) string {
	f, ok := score.Get()
	switch {
	case !ok:
		return ""
	case f < 0.3:
		return "free"
	case f < 0.6:
		return "busy"
	case f < 0.8:
		return "slow"
	default:
		return "jam"
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
