package problem_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

func write(e *problem.Error) (*httptest.ResponseRecorder, map[string]any) {
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "id-1")
	w.Header().Set("ETag", `W/"old"`)
	problem.Write(w, httptest.NewRequest("GET", "/api/roads?token=secret", nil), e)
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	return w, body
}

func TestEveryKindHasItsStatus(t *testing.T) {
	for kind, status := range map[problem.Kind]int{
		problem.BadParameter: 400, problem.BadBody: 400, problem.Unauthorized: 401, problem.Forbidden: 403, problem.NotFound: 404,
		problem.MethodNotAllowed: 405, problem.Conflict: 409, problem.TooLarge: 413, problem.UnsupportedMedia: 415,
		problem.UpgradeRequired: 426, problem.TooManyRequests: 429, problem.Internal: 500, problem.Unavailable: 503, "made up": 500,
	} {
		w, body := write(problem.New(kind, "it happened"))
		if w.Code != status || body["status"] != float64(status) || body["type"] != "urn:cityflow:problem:"+string(kind) {
			t.Errorf("%s: %d %v", kind, w.Code, body)
		}
		if w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", kind, w.Header())
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", kind, w.Header().Get("WWW-Authenticate"))
		}
	}
}

func TestCauseIsNotShown(t *testing.T) {
	cause := errors.New("pq: password of postgres://secret is wrong")
	e := &problem.Error{Kind: problem.Unavailable, Detail: "the database does not answer", Cause: cause, RetryAfter: 1500 * time.Millisecond}
	w, body := write(e)
	if strings.Contains(w.Body.String(), "secret") || body["instance"] != "/api/roads" || body["request_id"] != "id-1" {
		t.Errorf("%s", w.Body)
	}
	if w.Header().Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want whole seconds, not too early", w.Header().Get("Retry-After"))
	}
	if !errors.Is(e, cause) || !strings.Contains(e.Error(), "pq") {
		t.Error("the log needs the cause")
	}
}

func TestBadInputIsShownShortened(t *testing.T) {
	_, body := write(problem.BadInput("road_id", strings.Repeat("é", 100), "less"))
	value, _ := body["value"].(string)
	if !utf8.ValidString(value) || len(value) > 90 || !strings.HasSuffix(value, "…") || body["parameter"] != "road_id" || body["allowed"] != "less" {
		t.Errorf("%v", body)
	}
}
