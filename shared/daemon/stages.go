package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// StopTimeout bounds how long one stage may take to stop; then the others are
// stopped without waiting for it any longer.
const StopTimeout = 20 * time.Second

// A Stage is one long-lived part of a process. Run returns nil when its context
// ends, after it finished what it had taken over.
type Stage struct {
	Name string
	Run  func(ctx context.Context) error
}

// RunStages starts the stages in the order given, which is against the flow of data
// (the store first, the door last), and stops them in reverse: each stage's context
// ends only after every stage started later has returned, so the door closes first,
// queues drain, and the store closes last. It begins to stop when ctx ends or the
// first stage falls, and returns the errors, each with its stage's name. A panic in
// a stage is an error of that stage.
func RunStages(ctx context.Context, log *slog.Logger, stages ...Stage) error {
	runs := make([]*stageRun, len(stages))
	fallen := make(chan struct{}, len(stages))
	for i, s := range stages {
		runs[i] = startStage(ctx, s, fallen)
	}
	select {
	case <-ctx.Done():
	case <-fallen:
	}
	var errs []error
	for i := len(runs) - 1; i >= 0; i-- {
		if err := runs[i].stop(log); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

type stageRun struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

func startStage(ctx context.Context, s Stage, fallen chan<- struct{}) *stageRun {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &stageRun{name: s.Name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			close(r.done)
			fallen <- struct{}{}
		}()
		r.err = s.Run(own)
		if r.err == nil && own.Err() == nil {
			r.err = errors.New("ended by itself")
		}
	}()
	return r
}

func (r *stageRun) stop(log *slog.Logger) error {
	r.cancel()
	timeout := time.NewTimer(StopTimeout)
	defer timeout.Stop()
	select {
	case <-r.done:
	case <-timeout.C:
		return fmt.Errorf("%s: did not stop within %s", r.name, StopTimeout)
	}
	if r.err != nil && !errors.Is(r.err, context.Canceled) {
		return fmt.Errorf("%s: %w", r.name, r.err)
	}
	log.Debug("stopped", "stage", r.name)
	return nil
}
