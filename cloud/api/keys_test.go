package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

type apiKey struct {
	ID     int64
	Name   string
	Scopes []string
	Key    string
	UsedAt *time.Time `json:"used_at"`
}

func (c *city) key(token string, scopes ...string) apiKey {
	c.t.Helper()
	var k apiKey
	c.ask("POST", "/api/keys", map[string]any{"name": "signs", "scopes": scopes}, "Authorization", "Bearer "+token).want(201).into(&k)
	return k
}

func TestKeys(t *testing.T) {
	c, admin := begun(t, line(1)...)
	token := c.viewer("vera").Token
	c.ask("POST", "/api/keys", map[string]any{"name": "x", "scopes": []string{"read"}}, "Authorization", "Bearer "+token).problem(403, "forbidden")
	const export = "/api/export/readings?from=2026-08-24T12:00:00Z&to=2026-08-24T13:00:00Z"
	for scope, may := range map[string]map[string]int{
		"read":   {"/api/roads": 200, "/api/gaps": 403, "/api/users": 403, export: 403},
		"write":  {"/api/roads": 200, "/api/gaps": 200, "/api/users": 403, export: 403},
		"export": {"/api/roads": 403, "/api/gaps": 403, "/api/users": 403, export: 200},
	} {
		k := c.key(admin, scope)
		if !strings.HasPrefix(k.Key, "cfk_") || len(k.Key) < 40 {
			t.Fatalf("%s: key %q", scope, k.Key)
		}
		for path, status := range may {
			c.get(path, k.Key).want(status)
			c.get(path, "", "X-API-Key", k.Key).want(status)
		}
	}
	var list struct{ Data []apiKey }
	c.eventually("last use", func() bool {
		c.get("/api/keys", admin).want(200).into(&list)
		return len(list.Data) == 3 && list.Data[0].UsedAt != nil && list.Data[0].Key == ""
	})
	k := c.key(admin, "read")
	c.get("/api/me", k.Key).want(200)
	c.ask("DELETE", fmt.Sprint("/api/keys/", k.ID), nil, "Authorization", "Bearer "+admin).want(204)
	c.ask("DELETE", fmt.Sprint("/api/keys/", k.ID), nil, "Authorization", "Bearer "+admin).problem(404, "not-found")
	c.eventually("the key to end", func() bool { return c.get("/api/me", k.Key).status == 401 })
	c.get("/api/me", "cfk_nonsense").problem(401, "unauthorized")
	for parameter, body := range map[string]string{
		"name":       `{"name":"","scopes":["read"]}`,
		"scopes":     `{"name":"x","scopes":["root"]}`,
		"expires_at": `{"name":"x","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}`,
	} {
		if p := c.ask("POST", "/api/keys", body, "Authorization", "Bearer "+admin).problem(400, "bad-parameter"); p.Parameter != parameter {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

func TestUsersAreLookedAfter(t *testing.T) {
	c, _ := begun(t, line(1)...)
	admin := c.admin()
	as := []string{"Authorization", "Bearer " + admin.Token}
	type account struct {
		ID         int64
		Role       string
		DisabledAt *time.Time `json:"disabled_at"`
	}
	var bob account
	c.ask("POST", "/api/users", map[string]string{"email": "bob@city.example", "password": "ten letters", "role": "operator"}, as...).want(201).into(&bob)
	c.ask("POST", "/api/users", map[string]string{"email": "BOB@city.example", "password": "ten letters"}, as...).problem(409, "conflict")
	c.ask("POST", "/api/users", map[string]string{"email": "eve@city.example", "password": "ten letters", "role": "king"}, as...).problem(400, "bad-parameter")
	if all := all[account](c, "/api/users?limit=1", admin.Token); len(all) != 2 || all[len(all)-1].ID != bob.ID {
		t.Errorf("users %+v", all)
	}
	var s session
	c.ask("POST", "/api/auth/login", login("bob@city.example", "ten letters")).want(200).into(&s)
	path := fmt.Sprint("/api/users/", bob.ID)
	c.ask("PATCH", path, `{"role":"viewer"}`, as...).want(200)
	c.eventually("the lesser role", func() bool { return c.get("/api/gaps", s.Token).status == 403 })

	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.url, "http")+"/ws/live", http.Header{"Authorization": {"Bearer " + s.Token}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp.Body.Close()
	began := time.Now()
	c.ask("PATCH", path, `{"disabled":true}`, as...).want(200).into(&bob)
	if bob.DisabledAt == nil {
		t.Errorf("%+v is not disabled", bob)
	}
	for err = nil; err == nil; {
		_, _, err = conn.ReadMessage()
	}
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != 4403 || time.Since(began) > 5*time.Second {
		t.Errorf("the stream ended with %v after %s, want 4403 within 5s", err, time.Since(began))
	}
	c.get("/api/me", s.Token).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/login", login("bob@city.example", "ten letters")).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/refresh", map[string]string{"refresh_token": s.RefreshToken}).problem(401, "unauthorized")
	c.ask("PATCH", path, `{"disabled":false}`, as...).want(200)
	c.ask("POST", "/api/auth/login", login("bob@city.example", "ten letters")).want(200)
	c.ask("DELETE", path, nil, as...).want(204)
	c.ask("DELETE", path, nil, as...).problem(404, "not-found")

	self := fmt.Sprint("/api/users/", admin.User.ID)
	c.ask("DELETE", self, nil, as...).problem(409, "conflict")
	c.ask("PATCH", self, `{"role":"viewer"}`, as...).problem(409, "conflict")
	c.ask("PATCH", self, `{}`, as...).problem(400, "bad-body")
	c.ask("PATCH", "/api/users/x", `{"role":"viewer"}`, as...).problem(404, "not-found")
}

// An eventStream reads server-sent events.
type eventStream struct {
	t    *testing.T
	text *bufio.Reader
	end  func() error
}

type event struct{ id, name, data string }

func (c *city) events(t *testing.T, query string, headers ...string) (*http.Response, *eventStream) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/api/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Transport.(checked).next.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp, &eventStream{t, bufio.NewReader(resp.Body), resp.Body.Close}
}

func (s *eventStream) next() (e event) {
	s.t.Helper()
	for {
		line, err := s.text.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "heartbeat" {
				return e
			}
			e = event{}
		}
	}
}

func TestEvents(t *testing.T) {
	c, token := begun(t, line(2)...)
	as := []string{"Authorization", "Bearer " + token}
	resp, s := c.events(t, "?roads=R0000&channels=traffic_update", as...)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp.Status, resp.Header)
	}
	first := s.next()
	if first.name != "snapshot" || !strings.HasPrefix(first.data, `{"type":"snapshot","seq":`+first.id+`,`) {
		t.Errorf("first event %+v", first)
	}
	c.measure(reading("R0000", 0, 45, 600), reading("R0001", 0, 30, 600))
	update := s.next()
	if update.name != "traffic_update" || !strings.Contains(update.data, `"speed_kmh":45`) || strings.Contains(update.data, "R0001") {
		t.Errorf("update %+v", update)
	}
	s.end()
	c.measure(reading("R0000", 5, 50, 600))
	resp, s = c.events(t, "?roads=R0000&channels=traffic_update", append(as, "Last-Event-ID", update.id)...)
	if e := s.next(); resp.StatusCode != 200 || e.name != "traffic_update" || !strings.Contains(e.data, `"speed_kmh":50`) {
		t.Errorf("resumed with %d %+v", resp.StatusCode, e)
	}
	s.end()
	_, s = c.events(t, "?roads=R0000", append(as, "Last-Event-ID", "1")...)
	if e := s.next(); e.name != "snapshot" {
		t.Errorf("resumed from nowhere with %+v, want a snapshot", e)
	}
	s.end()
	for _, bad := range [][]string{{"?roads=", "400"}, {"?channels=x", "400"}, {"", "401"}} {
		headers := as
		if bad[1] == "401" {
			headers = nil
		}
		resp, s = c.events(t, bad[0], headers...)
		if fmt.Sprint(resp.StatusCode) != bad[1] || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s", bad[0], resp.Status)
		}
		s.end()
	}
}

func TestTicketsOpenOneStream(t *testing.T) {
	c, token := begun(t, line(1)...)
	ticket := func() string {
		var a struct{ Ticket string }
		c.ask("POST", "/api/stream/ticket", nil, "Authorization", "Bearer "+token).want(200).into(&a)
		return "?ticket=" + a.Ticket
	}
	one := ticket()
	resp, s := c.events(t, one)
	if resp.StatusCode != 200 || s.next().name != "snapshot" {
		t.Errorf("a ticket: %s", resp.Status)
	}
	s.end()
	if resp, s = c.events(t, one); resp.StatusCode != 401 {
		t.Errorf("a used ticket: %s", resp.Status)
	}
	s.end()
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.url, "http")+"/ws/live"+ticket(), nil)
	if err != nil {
		t.Fatal(err, resp)
	}
	conn.Close()
	_, bare, _ := strings.Cut(ticket(), "=")
	c.get("/api/me", bare).problem(401, "unauthorized")
	c.get("/api/me"+"?ticket="+bare, "").problem(401, "unauthorized")
	if resp, s = c.events(t, "?ticket="+token); resp.StatusCode != 401 {
		t.Errorf("a token as a ticket: %s", resp.Status)
	}
	s.end()
}
