package paris

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// userAgent tells the portal's operators who asks and where to complain.
const userAgent = "CityFlow (+https://github.com/2zrhun/city-flow)"

// How often and how long one question is asked.
const (
	tries = 4
	// patience is the longest wait that is spent inside a poll; a server that wants
	// more is asked again when that time is over.
	patience = 2 * time.Minute
	maxBody  = 512 << 20
)

// A client asks the Explore API.
type client struct {
	cfg  Config
	http *http.Client
	log  *slog.Logger
}

// A busyError is the answer of a server that wants to be left alone until a time.
type busyError struct {
	until time.Time
	err   error
}

func (e *busyError) Error() string {
	return fmt.Sprintf("%v; it asks to come back at %s", e.err, e.until.UTC().Format(time.RFC3339))
}
func (e *busyError) Unwrap() error { return e.err }

// A statusError is an answer that is not 200.
type statusError struct {
	url, status, head string
	code              int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %s: %s", e.url, e.status, e.head)
}

// A question is one request and what to do with a good answer.
type question struct {
	path  string
	query url.Values
	etag  string
	// read takes the body of a 200; its error is worth another try. It must stand
	// being called again.
	read func(body io.Reader) error
}

// ask asks until there is an answer or no hope. It returns the ETag of the answer,
// and fresh = false when the server says that nothing changed since q.etag.
func (c *client) ask(ctx context.Context, q question) (etag string, fresh bool, err error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, 30*time.Second
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		var err error
		etag, fresh, err = c.once(ctx, q)
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(tries), backoff.WithNotify(func(err error, wait time.Duration) {
		c.log.Debug("asking again", "error", err, "wait", wait)
	}))
	var permanent *backoff.PermanentError // still wrapped when it was the last try
	if errors.As(err, &permanent) {
		err = permanent.Err
	}
	return etag, fresh, err
}

// once asks a single time. Errors that another try can't change are permanent.
func (c *client) once(ctx context.Context, q question) (string, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	address := strings.TrimSuffix(c.cfg.URL, "/") + "/catalog/datasets/" + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", false, backoff.Permanent(err)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/json")
	if q.etag != "" {
		req.Header.Set("If-None-Match", q.etag)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && q.etag != "":
		return q.etag, false, nil
	case resp.StatusCode != http.StatusOK:
		return "", false, refusal(req, resp)
	}
	if err := q.read(io.LimitReader(resp.Body, maxBody)); err != nil {
		return "", false, fmt.Errorf("%s: %w", req.URL.Redacted(), err)
	}
	return resp.Header.Get("ETag"), true, nil
}

// refusal sorts an answer that is not 200 into "again", "later" and "never".
func refusal(req *http.Request, resp *http.Response) error {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	err := error(&statusError{
		url: req.URL.Redacted(), status: resp.Status, code: resp.StatusCode, head: strings.Join(strings.Fields(string(head)), " "),
	})
	wait, told := retryAfter(resp.Header, time.Now())
	switch {
	case told && wait > patience:
		return backoff.Permanent(&busyError{until: time.Now().Add(wait), err: err})
	case told:
		return fmt.Errorf("%w (%w)", err, &backoff.RetryAfterError{Duration: wait})
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout:
		return err
	default:
		return backoff.Permanent(err)
	}
}

// retryAfter reads Retry-After, in seconds or as a date, or the portal's own header
// for a used-up quota.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now)), true
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if t, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			return max(0, time.Unix(t, 0).Sub(now)), true
		}
	}
	return 0, false
}
