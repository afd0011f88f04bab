package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is asked, the answer is no server error, ends, and says what is wrong as a
// problem. The bytes choose the operation, the query and the body; the API stands on a
// real store with data.
func FuzzRequests(f *testing.F) {
	ca := withEdgeCA(f)
	c := start(f, ca)
	c.stop()
	c.roads(line(3)...)
	c = restart(f, c, ca)
	token := c.admin().Token
	c.measure(reading("R0000", 0, 50, 100))
	c.foresee(forecasts(0, "R0000")...)
	c.eventually("picture", func() bool {
		return len(all[measured](c, "/api/traffic/live?limit=5", token)) == 1
	})
	operations := []struct{ method, path string }{
		{"GET", "/api/me"},
		{"GET", "/api/roads"},
		{"GET", "/api/traffic/live"},
		{"GET", "/api/traffic/history"},
		{"GET", "/api/predictions"},
		{"GET", "/api/reroutes/recommended"},
		{"GET", "/api/rejected"},
		{"GET", "/api/gaps"},
		{"GET", "/api/sensors"},
		{"GET", "/api/export/readings"},
		{"GET", "/api/export/predictions"},
		{"GET", "/api/keys"},
		{"POST", "/api/keys"},
		{"DELETE", "/api/keys/7"},
		{"GET", "/api/users"},
		{"POST", "/api/users"},
		{"PATCH", "/api/users/7"},
		{"DELETE", "/api/users/7"},
		{"POST", "/api/stream/ticket"},
		{"GET", "/api/openapi.json"},
		{"GET", "/ws/live"},
		{"POST", "/api/auth/refresh"},
		{"POST", "/api/auth/logout"},
		{"POST", "/api/auth/link"},
		{"GET", "/api/edges"},
		{"POST", "/api/edges"},
		{"POST", "/api/edges/enrol"},
		{"POST", "/api/edges/renew"},
		{"POST", "/api/edges/pi-7/revoke"},
		{"GET", "/api/edges/crl"},
		{"GET", "/api/%2e%2e/x"},
		{"DELETE", "/api/roads"},
	}
	for i := range operations {
		f.Add(uint8(i), "limit=2", `{"refresh_token":"x"}`)
		f.Add(uint8(i), "road_id=R0000&from=2026-08-24T00:00:00Z&to=2026-08-25T00:00:00Z&width=1h&cursor=WyIyMDI2LTA4LTI0VDEyOjAwOjAwWiJd", `{"code":"x"}`)
		f.Add(uint8(i), "road_id=R0000&cursor=WzEsMiwzXQ&before=0001-01-01T00:00:00Z", `[]`)
		f.Add(uint8(i), "bbox=-180,-90,180,90&format=geojson&state=latest", "{")
		f.Add(uint8(i), "", `{"edge_id":"pi-7","label":"x"}`)
		f.Add(uint8(i), "", `{"token":"a.b","csr":"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"}`)
		f.Add(uint8(i), "horizon=30&model=%00&status=proposed,expired", "null")
	}
	f.Fuzz(func(t *testing.T, operation uint8, query, body string) {
		op := operations[int(operation)%len(operations)]
		r := httptest.NewRequest(op.method, op.path, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		c.api.Handler().ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Fatalf("%s %s?%s %q: %d %s", op.method, op.path, query, body, w.Code, w.Body)
		}
		if w.Code >= http.StatusBadRequest {
			var p problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.RequestID == "" {
				t.Fatalf("%s %s?%s: %d %s is no problem (%v)", op.method, op.path, query, w.Code, w.Body, err)
			}
		} else if w.Code == http.StatusOK && w.Header().Get("Content-Type") != "application/pkix-crl" && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %s?%s: %s", op.method, op.path, query, w.Body)
		}
	})
}
