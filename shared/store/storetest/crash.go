package storetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// envCrash tells a child process which database to write to until it is killed.
const envCrash = "CITYFLOW_STORETEST_CRASH"

const crashBatch = 400

// InChild reports whether this process is the child that a crash test starts: then
// Test does nothing else, and the caller should not either.
func InChild() bool { return os.Getenv(envCrash) != "" }

// crashReadings is the n-th batch of a child: one road a batch.
func crashReadings(n int) []traffic.Reading {
	out := make([]traffic.Reading, crashBatch)
	for i := range out {
		out[i] = at(minute(n), fmt.Sprintf("s%d", i), fmt.Sprintf("batch%d", n), float64(i))
	}
	return out
}

// crashChild appends batches, says after each nil which one it was, and goes on
// until it is killed. It continues where the database ends.
func crashChild(t *testing.T, b Backend, address string) {
	s := must(b.Open(context.Background(), address))(t)
	for n := crashStart(t, s); ; n++ {
		add(t, s, crashReadings(n)...)
		check(t, s.PutPredictions(context.Background(), []traffic.Prediction{predict(n, "r", 5, 0.5)}))
		fmt.Printf("ACK %d\n", n)
	}
}

// crashStart is the first batch that is not stored.
func crashStart(t *testing.T, s store.ReadingReader) int {
	t.Helper()
	mark := must(s.Watermark(context.Background(), minute(1<<20)))(t)
	if mark.IsZero() {
		return 0
	}
	return int(mark.Sub(start()).Minutes()) + 1
}

// testCrash kills a writing process: what it had been told is stored, nothing is
// there by halves, and the database opens again.
func testCrash(t *testing.T, b Backend) {
	address := b.New(t)
	last := -1
	for _, acks := range []int{1, 11} {
		last = max(last, runUntilKilled(t, address, acks))
		s := must(b.Open(t.Context(), address))(t)
		stored := crashStart(t, s) - 1
		if stored < last || stored > last+1 {
			t.Fatalf("batch %d was answered, batch %d is the last one stored", last, stored)
		}
		for n := range stored + 1 {
			equal(t, fmt.Sprintf("readings of batch %d", n), count(t, s, fmt.Sprintf("batch%d", n)), crashBatch)
		}
		if cycle := must(s.LastCycle(t.Context(), "ewma-lr-v2"))(t); cycle.Before(minute(last)) {
			t.Fatalf("predictions for batch %d were answered, the last stored are of %s", last, cycle)
		}
		check(t, s.Close())
	}
}

// runUntilKilled starts the test binary as a child, kills it after some answers
// and returns the last batch that it was answered.
func runUntilKilled(t *testing.T, address string, acks int) (last int) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	c := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.timeout=2m")
	c.Env = append(os.Environ(), envCrash+"="+address)
	out, err := c.StdoutPipe()
	check(t, err)
	var complaint strings.Builder
	c.Stderr = &complaint
	check(t, c.Start())
	lines := bufio.NewScanner(out)
	last = -1
	var other strings.Builder
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "ACK %d", &n); err != nil {
			fmt.Fprintln(&other, lines.Text())
			continue
		}
		last = n
		if acks--; acks == 0 {
			check(t, c.Process.Kill())
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = c.Wait() // "killed" is what we want
	if acks > 0 {
		t.Fatalf("the child ended by itself:\n%s%s", other.String(), complaint.String())
	}
	return last
}
