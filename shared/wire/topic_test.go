package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestTopics(t *testing.T) {
	for got, want := range map[string]string{
		SensorTopic("PARIS-4521"): "cityflow/traffic/PARIS-4521",
		SensorTopic("a/b+c#d%"):   "cityflow/traffic/a%2Fb%2Bc%23d%25",
		ScoreTopic("PARIS-4521"):  "cityflow/score/PARIS-4521",
		BatchTopic("e1"):          "cityflow/edge/e1/batch",
		AckTopic("e1"):            "cityflow/edge/e1/ack",
		StatusTopic("e1"):         "cityflow/edge/e1/status",
		ConfigTopic("e1"):         "cityflow/edge/e1/config",
		BatchFilter:               "cityflow/edge/+/batch",
		SensorFilter:              "cityflow/traffic/+",
		StatusFilter:              "cityflow/edge/+/status",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestEdgeOfTopic: any edge name comes back from its topics, and no name reaches out
// of its level.
func TestEdgeOfTopic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := traffic.EdgeID(rapid.StringN(1, 30, -1).Draw(t, "edge"))
		for _, topic := range []string{BatchTopic(id), AckTopic(id), StatusTopic(id), ConfigTopic(id)} {
			got, err := EdgeOfTopic(topic)
			if err != nil || got != id {
				t.Fatalf("%q: got %q, %v", topic, got, err)
			}
			if strings.Count(topic, "/") != 3 || strings.ContainsAny(topic, "+#\x00") {
				t.Fatalf("%q has the wrong shape", topic)
			}
		}
	})
	for _, bad := range []string{"", "cityflow/edge/", "cityflow/edge//batch", "cityflow/edge/e1", "cityflow/edge/e1/", "cityflow/traffic/e1/batch"} {
		if id, err := EdgeOfTopic(bad); err == nil {
			t.Errorf("%q: got %q", bad, id)
		}
	}
}
