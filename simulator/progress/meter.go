package progress

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Every is the time between two log lines of one piece of work.
const Every = 10 * time.Second

// redraw is the time between two pictures of a bar: work that goes on by the
// microsecond must not wait for the terminal.
const redraw = 100 * time.Millisecond

// A Meter shows one piece of work after the other. Its methods may be called from
// several goroutines.
type Meter struct {
	w   io.Writer // the terminal, nil where there is none
	log *slog.Logger

	mu    sync.Mutex // guards everything below
	work  Work
	bar   *progressbar.ProgressBar
	done  int64
	begun time.Time
	said  time.Time
}

// Work is what a Meter shows.
type Work struct {
	// Title says what is being done, such as "reading counts.csv".
	Title string
	// Total is the amount of work in Unit, or -1 when nobody knows.
	Total int64
	// Bytes says that the work is counted in bytes; otherwise in readings.
	Bytes bool
}

// New returns a Meter that draws on f when that is a terminal, and writes to log
// otherwise. Both may be nil.
func New(f *os.File, log *slog.Logger) *Meter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Meter{log: log.With("component", "progress")}
	if f != nil && term.IsTerminal(int(f.Fd())) {
		m.w = f
	}
	return m
}

// Begin starts a piece of work; the one before counts as ended.
func (m *Meter) Begin(w Work) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish()
	m.work, m.done = w, 0
	m.begun = time.Now()
	m.said = m.begun
	if m.w != nil {
		m.bar = newBar(m.w, w)
	}
}

func newBar(out io.Writer, w Work) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(w.Title),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(w.Total > 0),
	}
	if w.Bytes {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("readings"))
	}
	return progressbar.NewOptions64(w.Total, options...)
}

// Add says that n more units are done.
func (m *Meter) Add(n int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	pause := Every
	if m.bar != nil {
		pause = redraw
	}
	now := time.Now()
	if now.Sub(m.said) < pause {
		return
	}
	m.said = now
	if m.bar != nil {
		// The bar fails only on a terminal that went away, which is not our work.
		_ = m.bar.Set64(m.done)
		return
	}
	m.say("in progress")
}

// End says that the work is over, whether or not it came to its total.
func (m *Meter) End() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finish()
}

func (m *Meter) finish() {
	if m.begun.IsZero() {
		return
	}
	if m.bar != nil {
		_ = m.bar.Finish()
		m.bar = nil
	} else if time.Since(m.begun) >= Every {
		m.say("done")
	}
	m.begun = time.Time{}
}

func (m *Meter) say(what string) {
	unit := "readings"
	if m.work.Bytes {
		unit = "bytes"
	}
	attrs := []any{"work", m.work.Title, unit, m.done, "seconds", int64(time.Since(m.begun).Seconds())}
	if m.work.Total > 0 {
		attrs = append(attrs, "percent", 100*m.done/m.work.Total)
	}
	m.log.Info(what, attrs...)
}
