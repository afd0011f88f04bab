package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Kind names a kind of problem for programs. Kinds are added, never renamed.
type Kind string

// The kinds, each with one HTTP status.
const (
	BadParameter     Kind = "bad-parameter"
	BadBody          Kind = "bad-body"
	Unauthorized     Kind = "unauthorized"
	Forbidden        Kind = "forbidden"
	NotFound         Kind = "not-found"
	MethodNotAllowed Kind = "method-not-allowed"
	Conflict         Kind = "conflict"
	TooLarge         Kind = "too-large"
	UnsupportedMedia Kind = "unsupported-media-type"
	UpgradeRequired  Kind = "upgrade-required"
	TooManyRequests  Kind = "too-many-requests"
	Internal         Kind = "internal"
	Unavailable      Kind = "unavailable"
)

// Status is the HTTP status of the kind.
func (k Kind) Status() int {
	switch k {
	case BadParameter, BadBody:
		return http.StatusBadRequest
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case Conflict:
		return http.StatusConflict
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case UpgradeRequired:
		return http.StatusUpgradeRequired
	case TooManyRequests:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// An Error is a problem on its way to the client. Its text is Detail; the cause, if
// any, is for the log only.
type Error struct {
	Kind Kind
	// Detail is one sentence for people.
	Detail string
	// Parameter, Value and Allowed describe a bad input, otherwise empty.
	Parameter, Value, Allowed string
	// RetryAfter is when to try again; zero says nothing.
	RetryAfter time.Duration
	// Cause is logged, never shown.
	Cause error
}

// New is a problem with a sentence for people.
func New(kind Kind, detail string) *Error {
	return &Error{Kind: kind, Detail: detail}
}

// maxValue is how much of a bad value is shown back.
const maxValue = 80

// BadInput is a BadParameter that names the parameter, its value and what is allowed.
func BadInput(parameter, value, allowed string) *Error {
	value = shorten(value)
	return &Error{
		Kind:      BadParameter,
		Detail:    fmt.Sprintf("%s: %q is not allowed: want %s", parameter, value, allowed),
		Parameter: parameter, Value: value, Allowed: allowed,
	}
}

// Error is the sentence for people and, for the log, the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Detail, e.Cause)
	}
	return e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

type body struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Instance  string `json:"instance,omitempty"`
	RequestID string `json:"request_id"`
	Parameter string `json:"parameter,omitempty"`
	Value     string `json:"value,omitempty"`
	Allowed   string `json:"allowed,omitempty"`
}

// Write answers r with e. The request id is the response's X-Request-Id.
func Write(w http.ResponseWriter, r *http.Request, e *Error) {
	status := e.Kind.Status()
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Del("ETag")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="cityflow"`)
	}
	if e.RetryAfter > 0 {
		seconds := int64((e.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body{ // the client is gone: nobody to tell
		Type:      "urn:cityflow:problem:" + string(e.Kind),
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    e.Detail,
		Instance:  r.URL.Path,
		RequestID: h.Get("X-Request-Id"),
		Parameter: e.Parameter,
		Value:     e.Value,
		Allowed:   e.Allowed,
	})
}

// shorten keeps the head of a value, cut between characters.
func shorten(s string) string {
	if len(s) <= maxValue {
		return s
	}
	cut := maxValue
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
