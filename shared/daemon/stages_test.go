package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal records what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) stage(name string, drain time.Duration) Stage {
	return Stage{Name: name, Run: func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(drain)
		j.add(name)
		return nil
	}}
}

func TestStagesStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		// The door takes longest to stop: were all told at once, it would be last.
		err := RunStages(ctx, slog.New(slog.DiscardHandler),
			j.stage("store", 0), j.stage("collector", time.Second), j.stage("door", 5*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"door", "collector", "store"}; !slices.Equal(j.lines, want) {
			t.Errorf("stopped in order %v, want %v", j.lines, want)
		}
	})
}

func TestFirstFallStopsAll(t *testing.T) {
	for name, run := range map[string]func(context.Context) error{
		"error": func(context.Context) error { return errors.New("disk gone") },
		"panic": func(context.Context) error { panic("disk gone") },
		"early": func(context.Context) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j journal
				err := RunStages(t.Context(), slog.New(slog.DiscardHandler),
					j.stage("store", 0), Stage{Name: "buffer", Run: run}, j.stage("door", 0))
				if err == nil || !strings.HasPrefix(err.Error(), "buffer: ") {
					t.Errorf("error %v, want one that begins with the stage's name", err)
				}
				if want := []string{"door", "store"}; !slices.Equal(j.lines, want) {
					t.Errorf("stopped in order %v, want %v", j.lines, want)
				}
			})
		})
	}
}

func TestStageThatHangsIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		release := make(chan struct{})
		hang := Stage{Name: "door", Run: func(context.Context) error { <-release; return nil }}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := RunStages(ctx, slog.New(slog.DiscardHandler), j.stage("store", 0), hang)
		if err == nil || !strings.Contains(err.Error(), "door: did not stop") {
			t.Errorf("error %v, want it to name the stage that hangs", err)
		}
		if !slices.Equal(j.lines, []string{"store"}) {
			t.Errorf("the stages behind the one that hangs did not stop: %v", j.lines)
		}
		close(release)
	})
}
