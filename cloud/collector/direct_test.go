package collector_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/collector"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func sensorJSON(sensor string, at time.Time) []byte {
	return fmt.Appendf(nil, `{"ts":%q,"sensor_id":%q,"speed_kmh":31.5,"flow_rate":840,"occupancy":0.17}`, at.Format(time.RFC3339), sensor)
}

// A sensor that knows nothing of us publishes the protocol's JSON.
func TestDirectSensorMessages(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	c := run(t, addr, st, nil, nil).ready(t)
	sensor := connect(t, addr, "plain client")
	sensor.send(t, "cityflow/traffic/PARIS-4521", []byte(`{"ts":"2026-03-02T08:05:00Z","sensor_id":"PARIS-4521","road_id":"PARIS-4521","speed_kmh":31.5,
 "flow_rate":840,"occupancy":0.17,"label":"Bd Voltaire","lat":48.858,"lng":2.379}`))
	for qos := range byte(3) {
		await(t, sensor.client.Publish("cityflow/traffic/X", qos, false, sensorJSON("X", begin().Add(time.Duration(qos)*time.Second))))
	}
	sensor.send(t, wire.SensorTopicAlt, []byte("["+string(sensorJSON("Y", begin()))+`,{"sensor_id":"Z"},`+string(sensorJSON("Z", begin()))+"]"))
	sensor.send(t, "cityflow/traffic/X", []byte("{not JSON"))

	eventually(t, "the readings are stored", func() bool { return st.count() == 6 })
	eventually(t, "the bad ones are rejected", func() bool { return len(st.rejections()) == 2 })
	st.mu.Lock()
	r := st.readings[key(&traffic.Reading{Sensor: "PARIS-4521", At: time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC)})]
	st.mu.Unlock()
	if r.Road != "PARIS-4521" || r.Speed.Or(0) != 31.5 || r.Flow.Or(0) != 840 || r.Occupancy.Or(0) != 0.17 || r.Edge != "" {
		t.Errorf("stored %+v", r)
	}
	if s, ok := r.Score.Get(); !ok || s < 0 || s > 1 {
		t.Errorf("score %v, want one from 0 to 1", r.Score)
	}
	if r.Place == nil || r.Place.Label != "Bd Voltaire" {
		t.Errorf("place %+v", r.Place)
	}
	if got := sensor.answers(); len(got) != 0 {
		t.Errorf("a sensor was sent acknowledgements of batches: %v", got)
	}
	c.balanced(t)
}

// A collector that no longer takes sensor messages ends the subscription that its
// session still holds.
func TestDirectTopicsSwitchedOff(t *testing.T) {
	addr := rig.Mosquitto(t)
	st := newScripted()
	run(t, addr, st, nil, nil).ready(t).stop()
	c := run(t, addr, st, nil, func(c *collector.Config) { c.DirectTopics = false }).ready(t)
	e := connect(t, addr, "e")
	e.send(t, "cityflow/traffic/X", sensorJSON("X", begin()))
	e.send(t, wire.SensorTopicAlt, sensorJSON("X", begin()))
	e.sendBatch(t, batch("e", 1, 1))
	e.awaitAck(t, 7, 1)
	if got := c.metric(t, "cityflow_collector_messages_received_total"); got != 1 {
		t.Errorf("%g readings received, want only the edge's", got)
	}
}
