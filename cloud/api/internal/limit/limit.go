package limit

import (
	"fmt"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxKeys bounds the clients that are remembered.
const maxKeys = 10_000

// A Rate is how many requests each client may make: PerSecond on average, Burst at
// once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Validate returns an error that names the setting.
func (r Rate) Validate(name string) error {
	if !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 0) || r.Burst < 1 {
		return fmt.Errorf("%s: %g requests a second with bursts of %d are not allowed: want more than 0 and at least 1",
			name, r.PerSecond, r.Burst)
	}
	return nil
}

// Window is how long a full bucket takes to fill.
func (r Rate) Window() time.Duration {
	return time.Duration(float64(r.Burst) / r.PerSecond * float64(time.Second))
}

// A Verdict says whether a request may go on.
type Verdict struct {
	OK bool
	// Remaining is how many requests could follow at once.
	Remaining int
	// Full is when Remaining is Burst again.
	Full time.Duration
	// Retry is when the next request may be made; zero when OK.
	Retry time.Duration
}

// A Limiter holds the buckets. It is safe for concurrent use.
type Limiter struct {
	// Rate is what each key may do.
	Rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets *lru.Cache[string, *rate.Limiter]
}

// New returns a Limiter with a valid rate; now is its clock.
func New(r Rate, now func() time.Time) (*Limiter, error) {
	buckets, err := lru.New[string, *rate.Limiter](maxKeys)
	if err != nil {
		return nil, fmt.Errorf("make rate limiter: %w", err)
	}
	return &Limiter{Rate: r, now: now, buckets: buckets}, nil
}

// Take counts one request of key.
func (l *Limiter) Take(key string) Verdict {
	now := l.now()
	b := l.bucket(key)
	ok := b.AllowN(now, 1)
	tokens := b.TokensAt(now)
	v := Verdict{
		OK:        ok,
		Remaining: max(0, int(tokens)),
		Full:      l.after(float64(l.Rate.Burst) - tokens),
	}
	if !ok {
		v.Retry = l.after(1 - tokens)
	}
	return v
}

func (l *Limiter) bucket(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets.Get(key)
	if !ok {
		b = rate.NewLimiter(rate.Limit(l.Rate.PerSecond), l.Rate.Burst)
		l.buckets.Add(key, b)
	}
	return b
}

// after is how long n tokens take to come.
func (l *Limiter) after(n float64) time.Duration {
	return time.Duration(max(0, n) / l.Rate.PerSecond * float64(time.Second))
}
