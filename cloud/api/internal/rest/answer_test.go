package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestIfNoneMatch(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{`W/"a"`}, true},
		{[]string{`"a"`}, true}, // weak comparison
		{[]string{`"b", W/"a"`}, true},
		{[]string{`"b"`, `"a"`}, true},
		{[]string{"*"}, true},
		{[]string{`W/"ab"`}, false},
		{[]string{"a"}, false},
	} {
		if got := noneMatch(c.headers, `W/"a"`); got != c.want {
			t.Errorf("%q: %t", c.headers, got)
		}
	}
}

func TestClientKeyIsTheNetworkOfIPv6(t *testing.T) {
	same := clientKey("2001:db8:1:2::1")
	if same != clientKey("2001:db8:1:2:ffff::9") || same == clientKey("2001:db8:1:3::1") {
		t.Errorf("%q", same)
	}
	if clientKey("192.0.2.1") == clientKey("192.0.2.2") {
		t.Error("two IPv4 addresses are one client")
	}
	if clientKey("::ffff:192.0.2.1") == clientKey("::ffff:192.0.2.2") {
		t.Error("two mapped IPv4 addresses are one client")
	}
}

func TestBearer(t *testing.T) {
	for _, c := range []struct{ path, authorization, protocol, want string }{
		{"/api/me", "Bearer abc", "", "abc"},
		{"/api/me", "bearer  abc ", "", "abc"},
		{"/api/me", "Basic abc", "", ""},
		{"/api/me", "Bearer", "", ""},
		{"/api/me?token=abc", "", "bearer.abc", ""},
		{"/ws/live?token=abc", "", "", "abc"},
		{"/ws/live?token=abc", "", "cityflow.v1, bearer.def", "def"},
		{"/ws/live?token=abc", "Bearer ghi", "bearer.def", "ghi"},
		{"/ws/live", "", "cityflow.v1", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("Sec-WebSocket-Protocol", c.protocol)
		if got := bearer(r); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, "abc-DEF_0.9": true, "a b": false, "a\nb": false, "é": false, `"`: false,
	} {
		if plainID(id) != want {
			t.Errorf("%q: %t", id, !want)
		}
	}
}
