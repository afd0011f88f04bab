package wire

import (
	"fmt"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// The topics that sensors publish on, and the filters to hear them.
const (
	// SensorFilter matches every SensorTopic.
	SensorFilter = sensorPrefix + "+"
	// SensorTopicAlt is taken too: older sensors publish everything there.
	SensorTopicAlt = "traffic/data"
	// BatchFilter matches every BatchTopic; collectors subscribe to it as
	// "$share/collector/" + BatchFilter.
	BatchFilter = edgePrefix + "+" + batchSuffix
	// StatusFilter matches every StatusTopic.
	StatusFilter = edgePrefix + "+" + statusSuffix
)

const (
	sensorPrefix = "cityflow/traffic/"
	scorePrefix  = "cityflow/score/"
	edgePrefix   = "cityflow/edge/"
	batchSuffix  = "/batch"
	ackSuffix    = "/ack"
	statusSuffix = "/status"
	configSuffix = "/config"
)

// SensorTopic is where a sensor publishes its readings. Characters that have a
// meaning in MQTT topics are percent-encoded, here as in the other topics; the
// payload says the true name.
func SensorTopic(s traffic.SensorID) string { return sensorPrefix + level(string(s)) }

// ScoreTopic is where an edge publishes the score of a road, retained, on its own
// broker.
func ScoreTopic(r traffic.RoadID) string { return scorePrefix + level(string(r)) }

// BatchTopic is where an edge publishes its batches.
func BatchTopic(e traffic.EdgeID) string { return edgePrefix + level(string(e)) + batchSuffix }

// AckTopic is where the collector acknowledges an edge's batches.
func AckTopic(e traffic.EdgeID) string { return edgePrefix + level(string(e)) + ackSuffix }

// StatusTopic is where an edge publishes its state, retained.
func StatusTopic(e traffic.EdgeID) string { return edgePrefix + level(string(e)) + statusSuffix }

// ConfigTopic is where the centre leaves an edge's settings, retained.
func ConfigTopic(e traffic.EdgeID) string { return edgePrefix + level(string(e)) + configSuffix }

// EdgeOfTopic says which edge a topic below cityflow/edge/ belongs to.
func EdgeOfTopic(topic string) (traffic.EdgeID, error) {
	rest, ok := strings.CutPrefix(topic, edgePrefix)
	id, leaf, deeper := strings.Cut(rest, "/")
	if !ok || id == "" || !deeper || leaf == "" {
		return "", fmt.Errorf("topic %q is not %s{edge_id}/…", topic, edgePrefix)
	}
	return traffic.EdgeID(unlevel.Replace(id)), nil
}

// level makes one topic level of a name.
func level(name string) string {
	if !strings.ContainsAny(name, "%/+#$\x00") {
		return name
	}
	return escape.Replace(name)
}

// The two replacers are each other's inverse and never change.
var (
	escape  = strings.NewReplacer("%", "%25", "/", "%2F", "+", "%2B", "#", "%23", "$", "%24", "\x00", "%00")
	unlevel = strings.NewReplacer("%25", "%", "%2F", "/", "%2B", "+", "%23", "#", "%24", "$", "%00", "\x00")
)
