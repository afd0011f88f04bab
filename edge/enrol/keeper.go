package enrol

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// A Keeper renews an identity in time. Make it with NewKeeper.
type Keeper struct {
	id  *Identity
	log *slog.Logger
	now func() time.Time
	// checkEvery is how often the clock is looked at: on a box without a battery it
	// jumps, and a timer would not notice. A failed renewal is tried again after
	// minPause, and then after longer, up to maxPause.
	checkEvery, minPause, maxPause time.Duration
	renewals                       *prometheus.CounterVec

	mu  sync.Mutex
	err error // guarded by mu
}

// NewKeeper keeps an identity, once it runs.
func NewKeeper(id *Identity, log *slog.Logger, reg prometheus.Registerer) *Keeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cityflow_edge_certificate_not_after_seconds", Help: "When the edge's certificate ends, in seconds since 1970; it is renewed after two thirds of its life.",
	}, func() float64 { return float64(id.NotAfter().Unix()) })
	return &Keeper{
		id: id, log: log.With("component", "enrol"), now: time.Now,
		checkEvery: time.Minute, minPause: time.Minute, maxPause: time.Hour,
		renewals: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_edge_certificate_renewals_total", Help: "Renewals of the edge's certificate that were tried, by result.",
		}, []string{"result"}),
	}
}

// State is when the certificate ends, and why it could not be renewed the last time, nil
// when it could or was not due.
func (k *Keeper) State() (notAfter time.Time, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id.NotAfter(), k.err
}

// Run renews the certificate whenever that is due, until ctx ends. It returns nil.
func (k *Keeper) Run(ctx context.Context) error {
	pause := k.minPause
	for {
		wait := k.checkEvery
		if !k.now().Before(k.id.RenewAt()) {
			if k.renew(ctx) == nil {
				pause = k.minPause
			} else {
				wait, pause = pause/2+rand.N(pause/2+1), min(2*pause, k.maxPause)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (k *Keeper) renew(ctx context.Context) error {
	err := k.id.Renew(ctx)
	if ctx.Err() != nil {
		return err
	}
	k.mu.Lock()
	k.err = err
	k.mu.Unlock()
	if err != nil {
		k.renewals.WithLabelValues("failed").Inc()
		k.log.Error("the certificate could not be renewed; it is tried again", "not_after", k.id.NotAfter(), "error", err)
		return err
	}
	k.renewals.WithLabelValues("renewed").Inc()
	k.log.Info("the certificate was renewed", "not_after", k.id.NotAfter())
	return nil
}
