package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
)

// The limits of a connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	// grace is how long running requests may take after the stop.
	grace = 5 * time.Second
	// retryAdmin is the pause while the store does not answer at the start.
	retryAdmin = 2 * time.Second
)

// Serve answers requests on ln, which it closes, until ctx ends; nil on a normal stop.
// It stops in order: no new connections, streams sent away, running requests finished.
func (a *API) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		// Requests outlive the stop by the grace that Shutdown gives them.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hub := make(chan error, 1)
	go func() { hub <- a.hub.Run(ctx) }()
	admin := make(chan struct{})
	go func() { defer close(admin); a.keepTryingAdmin(ctx); a.keepLooking(ctx) }()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("serve %s: %w", ln.Addr(), err)
		cancel()
	case <-ctx.Done():
		failure = a.shutdown(srv)
		<-served //nolint:errcheck // http.ErrServerClosed: we closed it
	}
	<-admin
	return errors.Join(failure, <-hub)
}

func (a *API) shutdown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		a.log.Warn("requests that took too long were cut off", "grace", grace, "error", err)
		return srv.Close()
	}
	return nil
}

// keepTryingAdmin makes the first admin as soon as the store answers.
func (a *API) keepTryingAdmin(ctx context.Context) {
	for {
		err := a.ensureAdmin(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.log.Error("the first admin could not be created; trying again", "pause", retryAdmin, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryAdmin):
		}
	}
}

// keepLooking follows who may come in.
func (a *API) keepLooking(ctx context.Context) {
	tick := time.NewTicker(auth.LookEvery)
	defer tick.Stop()
	broken := false
	for {
		err := a.keeper.Look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !broken {
			a.log.Error("the accounts could not be read; those of before hold", "error", err)
		}
		broken = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
