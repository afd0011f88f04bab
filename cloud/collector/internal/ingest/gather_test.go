package ingest

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pieceOf(readings int) piece {
	return piece{readings: make([]traffic.Reading, readings), batch: store.BatchID{Edge: "e", Seq: uint64(readings)}}
}

// gathering runs gather with 100 readings and 50 ms and returns its two ends.
func gathering(t *testing.T) (chan<- piece, <-chan *microBatch) {
	in, out := make(chan piece), make(chan *microBatch)
	go func() {
		gather(100, 50*time.Millisecond, leave, in, out)
		close(out)
	}()
	t.Cleanup(func() {
		close(in)
		for range out {
		}
	})
	return in, out
}

func TestGatherWaitsForSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := gathering(t)
		began := time.Now()
		in <- pieceOf(1)
		in <- pieceOf(2)
		if b := <-out; b.rows() != 3 || time.Since(began) != 5*time.Millisecond {
			t.Errorf("%d rows after %v, want 3 after 5ms of silence", b.rows(), time.Since(began))
		}
	})
}

func TestGatherWaitsNoLongerThanMaxDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := gathering(t)
		began := time.Now()
		go func() {
			for range 20 {
				in <- pieceOf(1)
				time.Sleep(4 * time.Millisecond)
			}
		}()
		if b := <-out; time.Since(began) != 50*time.Millisecond || b.rows() != 13 {
			t.Errorf("%d rows after %v, want 13 after 50ms", b.rows(), time.Since(began))
		}
		if b := <-out; b.rows() != 7 {
			t.Errorf("then %d rows, want the other 7", b.rows())
		}
	})
}

func TestGatherIsFullAtMaxReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := gathering(t)
		began := time.Now()
		in <- pieceOf(60)
		in <- pieceOf(60)
		if b := <-out; time.Since(began) != 0 || b.rows() != 120 || len(b.pieces) != 2 || len(b.delivery.Batches) != 2 {
			t.Errorf("%d rows of %d pieces after %v, want 120 of 2 at once", b.rows(), len(b.pieces), time.Since(began))
		}
	})
}

// While the transaction before it runs, a batch grows, but not beyond full: then
// the pieces wait where they are.
func TestGatherGrowsWhileTheStoreIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := gathering(t)
		var sent atomic.Int32
		go func() {
			for range 30 {
				in <- pieceOf(10)
				sent.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		}()
		time.Sleep(10 * time.Second)
		if n := sent.Load(); n != 10 {
			t.Errorf("%d pieces were taken while nobody took the batch, want 10", n)
		}
		b := <-out
		if b.rows() != 100 {
			t.Errorf("the batch has %d rows, want 100", b.rows())
		}
		for rows := b.rows(); rows < 300; rows += b.rows() {
			b = <-out
		}
		time.Sleep(time.Second) // the sender ends
	})
}

func TestGatherHandsTheRestOnAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := make(chan piece), make(chan *microBatch)
		go func() {
			gather(100, time.Hour, leave, in, out)
			close(out)
		}()
		in <- pieceOf(3)
		close(in)
		if b := <-out; b.rows() != 3 {
			t.Errorf("%d rows, want 3", b.rows())
		}
		if _, open := <-out; open {
			t.Error("gather went on after the end")
		}
	})
}

// leave judges nothing.
func leave([]traffic.Reading) {}
