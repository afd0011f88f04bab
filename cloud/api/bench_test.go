package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// paris is as large as the network of Paris: 3,348 arcs of ten points.
func paris() []traffic.Road {
	roads := line(3348)
	for i := range roads {
		part := roads[i].Geometry[0]
		for n := range 7 {
			part = append(part, traffic.Point{Lat: 48.85 + float64(n)/1e4, Lng: part[2].Lng})
		}
		roads[i].Geometry = [][]traffic.Point{part}
	}
	return roads
}

// BenchmarkRequests answers requests of a dashboard that starts, for a city of the
// size of Paris, without the network.
func BenchmarkRequests(b *testing.B) {
	c := start(b)
	c.stop()
	c.roads(paris()...)
	c = restart(b, c)
	token := c.admin().Token
	for i := range 7 {
		var rs []traffic.Reading
		for n := i * 500; n < min(3348, i*500+500); n++ {
			rs = append(rs, reading(fmt.Sprintf("R%04d", n), 0, float64(n%90), 600))
		}
		c.measure(rs...)
	}
	c.eventually("readings", func() bool {
		return len(all[measured](c, "/api/traffic/live?limit=1000", token)) == 3348
	})
	ask := func(path, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		c.api.Handler().ServeHTTP(w, r)
		return w
	}
	for name, path := range map[string]string{
		"network":            "/api/roads?format=geojson&state=none",
		"network with state": "/api/roads?format=geojson",
		"thousand roads":     "/api/roads?limit=1000",
		"thousand readings":  "/api/traffic/live?limit=1000",
	} {
		b.Run(name, func(b *testing.B) {
			var w *httptest.ResponseRecorder
			for b.Loop() {
				if w = ask(path, ""); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(w.Body.Len())/1024, "KiB")
		})
	}
	b.Run("network not modified", func(b *testing.B) {
		const path = "/api/roads?format=geojson&state=none"
		tag := ask(path, "").Header().Get("ETag")
		for b.Loop() {
			if w := ask(path, tag); w.Code != http.StatusNotModified {
				b.Fatal(w.Code)
			}
		}
	})
}
