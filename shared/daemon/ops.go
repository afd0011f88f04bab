package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// CheckTimeout bounds one readiness check.
const CheckTimeout = 2 * time.Second

// Readiness answers whether a process can do all of its work now, and what it is
// missing otherwise. It is safe for concurrent use; the zero value has no checks.
type Readiness struct {
	mu     sync.Mutex
	checks []namedCheck // guarded by mu
}

type namedCheck struct {
	name  string
	check func(context.Context) error
}

// Add names a check; it returns nil when its part can work. It runs at each question,
// with CheckTimeout as its deadline.
func (r *Readiness) Add(name string, check func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = append(r.checks, namedCheck{name, check})
}

// Missing runs all checks and returns what failed, by name.
func (r *Readiness) Missing(ctx context.Context) map[string]error {
	r.mu.Lock()
	checks := slices.Clone(r.checks)
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	errs := make([]error, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { errs[i] = c.check(ctx) })
	}
	wg.Wait()
	missing := map[string]error{}
	for i, err := range errs {
		if err != nil {
			missing[checks[i].name] = err
		}
	}
	return missing
}

// ServeHTTP answers 200 with {"ready":true}, or 503 with {"ready":false,"missing":
// {"name":"why"}}.
func (r *Readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	answer := struct {
		Ready   bool              `json:"ready"`
		Missing map[string]string `json:"missing,omitempty"`
	}{Ready: true, Missing: map[string]string{}}
	for name, err := range r.Missing(req.Context()) {
		answer.Ready, answer.Missing[name] = false, err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the client is gone: nobody to tell
}

// NewRegistry is a metrics registry that also tells about the Go runtime and the
// process.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// OpsHandler serves /health (200 while the process lives), /readyz and /metrics.
func OpsHandler(reg *prometheus.Registry, ready *Readiness) http.Handler {
	return opsMux(reg, ready, nil)
}

// opsMux is OpsHandler with a page, which may be nil, for everything else.
func opsMux(reg *prometheus.Registry, ready *Readiness, page http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"status":"ok"}`)
	})
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	if page != nil {
		mux.Handle("GET /", page)
	}
	return mux
}

// Listen opens a TCP listener for the address that a flag gave. Its errors say which
// flag to change.
func Listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another program has this port: stop it, or choose another address with --%s", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted: ports below 1024 need root; choose another address with --%s", addr, flag)
	case err != nil:
		return nil, fmt.Errorf("listen on %s (--%s): %w", addr, flag, err)
	}
	return ln, nil
}

// Serve answers requests on ln until ctx ends, then gives running requests a few
// seconds to finish. It closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close()
	}
	<-served //nolint:errcheck // it says that it was shut down
	return nil
}
