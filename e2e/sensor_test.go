package e2e

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// TestMosquittoPubAppears publishes with an unmodified mosquitto_pub, as the README
// shows, and looks for the reading where the map looks.
func TestMosquittoPubAppears(t *testing.T) {
	p := system.Start(t, binary, t.TempDir(), "--source", "none")
	c := p.Login(t)
	host, port, err := net.SplitHostPort(p.MQTT)
	if err != nil {
		t.Fatal(err)
	}
	ts := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	payload := `{"ts":"` + ts + `","sensor_id":"PARIS-4521","road_id":"PARIS-4521","speed_kmh":31.5,` +
		`"flow_rate":840,"occupancy":0.17,"label":"Bd Voltaire","lat":48.858,"lng":2.379}`
	for _, qos := range []string{"0", "1", "2"} {
		cmd := exec.CommandContext(t.Context(), "mosquitto_pub", "-h", host, "-p", port, "-q", qos,
			"-t", "cityflow/traffic/PARIS-4521", "-m", payload)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_pub -q %s: %v\n%s", qos, err, out)
		}
	}
	var roads []struct {
		ID    string  `json:"road_id"`
		Label string  `json:"label"`
		Lat   float64 `json:"lat"`
		State *struct {
			TS    string   `json:"ts"`
			Speed float64  `json:"speed_kmh"`
			Score *float64 `json:"congestion_score"`
		} `json:"state"`
	}
	system.Eventually(t, "the road appears", func() bool {
		var page struct {
			Data any `json:"data"`
		}
		page.Data = &roads
		c.Get(t, "/api/roads", &page)
		return len(roads) == 1 && roads[0].State != nil
	})
	r := roads[0]
	if r.ID != "PARIS-4521" || r.Label != "Bd Voltaire" || r.Lat != 48.858 || r.State.TS != ts || r.State.Speed != 31.5 || r.State.Score == nil {
		t.Errorf("the road: %+v, state %+v", r, r.State)
	}
	system.Eventually(t, "the three copies have come through", func() bool {
		return p.Metric(t, "cityflow_collector_messages_received_total") == 3
	})
	if n := p.Metric(t, "cityflow_collector_messages_stored_total"); n != 1 {
		t.Errorf("%v readings stored of three copies of one", n)
	}
}
