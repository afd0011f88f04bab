package collector_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// The environment of a child: its broker, its database, and with which transaction it
// is killed: after the commit, or before it when the number is negative; 0 is never.
const (
	childBroker = "CITYFLOW_TEST_CHILD_BROKER"
	childDB     = "CITYFLOW_TEST_CHILD_DB"
	childAppend = "CITYFLOW_TEST_CHILD_APPENDS"
)

// mortal kills its process at one transaction.
type mortal struct {
	collector.Store
	at int64
	n  atomic.Int64
}

func (m *mortal) Append(ctx context.Context, d store.Delivery) (store.Appended, error) {
	n := m.n.Add(1)
	m.dieAt(n, -m.at)
	a, err := m.Store.Append(ctx, d)
	if err == nil {
		m.dieAt(n, m.at)
	}
	return a, err
}

func (m *mortal) dieAt(n, at int64) {
	if n != at {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill() // SIGKILL: no deferred call runs
	}
	select {}
}

// childMain is the main of a child process: a collector until standard input ends.
// It reports whether this process is one.
func childMain() bool {
	addr := os.Getenv(childBroker)
	if addr == "" {
		return false
	}
	if err := runChild(addr); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1) //nolint:forbidigo // a child has no test to fail
	}
	return true
}

func runChild(addr string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // the parent holds the other end
		cancel()
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := sqlite.Open(ctx, os.Getenv(childDB), log)
	if err != nil {
		return err
	}
	defer db.Close()
	m := &mortal{Store: db}
	if m.at, err = strconv.ParseInt(os.Getenv(childAppend), 10, 64); err != nil {
		return err
	}
	cfg := collector.Default()
	cfg.BrokerURL, cfg.Instance = "tcp://"+addr, "child"
	c, err := collector.New(cfg, m, inproc.New(), log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// startChild returns the running child and a function that ends it in good order.
func startChild(t *testing.T, addr, db string, at int) (*exec.Cmd, func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childBroker+"="+addr, childDB+"="+db, fmt.Sprintf("%s=%d", childAppend, at))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	}
}

// A collector is killed again and again under load, before a commit and between a
// commit and its acknowledgement. Every reading is stored exactly once, every batch is acknowledged in the end.
func TestKilled(t *testing.T) {
	const edges, readings = 3, 20
	addr := rig.Mosquitto(t)
	db := filepath.Join(t.TempDir(), "city.db")
	var all []*edge
	for i := range edges {
		all = append(all, connect(t, addr, traffic.EdgeID(fmt.Sprint("e", i))))
	}
	enough := make(chan struct{})
	sent := make(chan uint64)
	go func() { sent <- sendUntil(t, all, readings, enough) }()
	for k, at := range []int{1, -2, 2, -1, 3, -3} {
		child, stop := startChild(t, addr, db, at)
		ended := make(chan error, 1)
		go func() { ended <- child.Wait() }()
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("child %d was to be killed and ended well", k)
			}
		case <-time.After(patience):
			t.Errorf("child %d was to be killed and runs on", k)
			stop()
		}
	}
	close(enough)
	batches := <-sent
	_, stop := startChild(t, addr, db, 0)
	for _, e := range all {
		for seq := uint64(1); seq <= batches; seq++ {
			e.awaitAck(t, 7, seq)
		}
	}
	stop()
	checkStored(t, db, all, int(batches), readings)
}

// sendUntil sends batch after batch for every edge and returns how many. As an edge does,
// it waits while many are not acknowledged, and sends those again after a while.
func sendUntil(t *testing.T, all []*edge, readings int, enough <-chan struct{}) uint64 {
	const window, pause = 50, 500 * time.Millisecond
	last := time.Now()
	for seq := uint64(0); ; {
		full := slices.ContainsFunc(all, func(e *edge) bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return len(e.kept) >= window
		})
		if !full {
			seq++
		}
		resend := full && time.Since(last) > pause // the collector was killed with these in its hands
		for _, e := range all {
			if resend {
				e.again()
				last = time.Now()
			}
			if full {
				continue
			}
			if err := e.offer(batch(e.id, seq, readings)); err != nil {
				t.Errorf("publish: %v", err)
			}
		}
		select {
		case <-enough:
			return seq
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// checkStored reads every road's rows from the file.
func checkStored(t *testing.T, db string, all []*edge, batches, readings int) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), db, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, e := range all {
		for _, r := range batch(e.id, 1, readings).Readings {
			rows, _, err := st.Readings(t.Context(), store.ReadingQuery{Road: r.Road, Page: store.Page{Limit: 10 * batches}})
			if err != nil {
				t.Fatal(err)
			}
			times := map[time.Time]bool{}
			for _, row := range rows {
				times[row.At] = true
			}
			if len(rows) != batches || len(times) != batches {
				t.Errorf("road %s has %d rows at %d times, want %d of each", r.Road, len(rows), len(times), batches)
			}
		}
	}
}
