package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Client asks a Process over HTTP with a user's token.
type Client struct {
	base  string
	token string
	http  http.Client
}

// A List is the answer of every endpoint that lists things.
type List[T any] struct {
	Data       []T    `json:"data"`
	NextCursor string `json:"next_cursor"`
	HasMore    bool   `json:"has_more"`
}

// Login is a client of the first admin.
func (p *Process) Login(t testing.TB) *Client {
	t.Helper()
	c := &Client{base: p.URL, http: http.Client{Timeout: 30 * time.Second}}
	body, err := json.Marshal(map[string]string{"email": AdminEmail, "password": AdminPassword})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Token string `json:"token"`
	}
	status := c.do(t, http.MethodPost, "/api/auth/login", body, &answer)
	if status != http.StatusOK || answer.Token == "" {
		t.Fatalf("login: status %d, token %q", status, answer.Token)
	}
	c.token = answer.Token
	return c
}

// Token is the access token, for the WebSocket.
func (c *Client) Token() string { return c.token }

// Get decodes the answer to GET path into out and fails the test unless it is 200.
func (c *Client) Get(t testing.TB, path string, out any) {
	t.Helper()
	if status := c.do(t, http.MethodGet, path, nil, out); status != http.StatusOK {
		t.Fatalf("GET %s: status %d", path, status)
	}
}

// Status is the status code of GET path.
func (c *Client) Status(t testing.TB, path string) int {
	t.Helper()
	return c.do(t, http.MethodGet, path, nil, nil)
}

func (c *Client) do(t testing.TB, method, path string, body []byte, out any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode/100 != 2 {
		t.Logf("%s %s: %s", method, path, data)
		return res.StatusCode
	}
	if out == nil {
		return res.StatusCode
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%s %s: %v in %.300s", method, path, err, data)
	}
	return res.StatusCode
}

// All follows the cursors of a list to its end.
func All[T any](t testing.TB, c *Client, path string) []T {
	t.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	var all []T
	next := path + sep + "limit=1000"
	for {
		var page List[T]
		c.Get(t, next, &page)
		all = append(all, page.Data...)
		if !page.HasMore {
			return all
		}
		next = fmt.Sprintf("%s%slimit=1000&cursor=%s", path, sep, page.NextCursor)
	}
}

// Metric is the sum over all labels of a counter or gauge on /metrics; 0 when there is
// none yet.
func (p *Process) Metric(t testing.TB, name string) float64 {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(string(body)) {
		metric, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(metric, "{"); ok && bare == name {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatalf("metric %s: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

// Eventually polls until done says so, or fails the test after a minute with what it
// was waiting for.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	Within(t, time.Minute, what, done)
}

// Within is Eventually with another guard against a hang.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting after %s: %s", limit, what)
		}
	}
}
