package edge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// TestKills kills the agent, the central broker and the collector again and again, in
// random order at random moments under load, 200 times in the long form.
func TestKills(t *testing.T) {
	t.Parallel()
	kills := 6
	if long() {
		kills = 200
	}
	c := startCentre(t)
	agent := startEdge(t, programs+"edge", c.url(), t.TempDir())
	sensors, stop := startSensors(t, agent.MQTT, 20, 10*time.Millisecond)
	victims := map[string]func(){
		"agent":     func() { agent.Kill(); agent.Restart(t) },
		"broker":    func() { c.broker.Kill(t); c.broker.Start(t) },
		"collector": func() { c.collector.Kill(); c.collector.Restart(t) },
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	names := []string{"agent", "broker", "collector"}
	before := 0
	for k := range kills {
		system.Within(t, 3*time.Minute, "readings are acknowledged again", func() bool { return acknowledged(sensors) > before })
		time.Sleep(rand.N(400 * time.Millisecond)) // at any moment
		before = acknowledged(sensors)
		if k%len(names) == 0 {
			rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		victims[names[k%len(names)]]()
	}
	system.Within(t, 3*time.Minute, "readings are acknowledged after the last kill", func() bool { return acknowledged(sensors) > before })
	stop()
	c.wantStored(t, agent, sensors)
}
