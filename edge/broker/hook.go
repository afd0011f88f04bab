package broker

import (
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A hook is where mochi asks the broker: who may connect, and what becomes of a
// publication.
type hook struct {
	mqtt.HookBase
	b     *Broker
	guard *guard
	// sessions holds a *session for each *mqtt.Client that published to the intake.
	sessions sync.Map
	// version counts what may give a topic its first subscriber.
	version atomic.Uint64
}

func (h *hook) ID() string { return "cityflow" }

func (h *hook) Provides(event byte) bool {
	switch event {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnPublishDropped,
		mqtt.OnPacketEncode, mqtt.OnSessionEstablished, mqtt.OnSubscribed, mqtt.OnDisconnect, mqtt.OnClientExpired:
		return true
	default:
		return false
	}
}

// OnConnect bounds the sessions; mochi itself bounds connected clients only.
func (h *hook) OnConnect(cl *mqtt.Client, _ packets.Packet) error {
	if _, known := h.b.server.Clients.Get(cl.ID); !known && h.b.server.Clients.Len() > h.b.cfg.MaxClients {
		h.b.met.refused.WithLabelValues("too_many").Inc()
		return packets.ErrServerBusy
	}
	return nil
}

func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	return h.authenticate(cl, pk)
}

func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	if c, ok := cl.Net.Conn.(*conn); ok && h.b.intake.Match != nil {
		c.attach(cl)
	}
}

// OnSubscribed is called before the client is told.
func (h *hook) OnSubscribed(*mqtt.Client, packets.Packet, []byte) { h.version.Add(1) }

func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	return permits(cl, topic, write)
}

// OnPublish takes intake messages out of mochi's hands: ErrRejectPacket makes mochi
// forget a message without acknowledging it. Most of them do not come this way: see conn.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline || h.b.intake.Match == nil || !h.b.intake.Match(pk.TopicName) {
		return h.boundRetained(pk), nil
	}
	h.session(cl).take([]pending{{
		topic: pk.TopicName, payload: pk.Payload, id: pk.PacketID, qos: pk.FixedHeader.Qos, dup: pk.FixedHeader.Dup,
		heard: h.b.heard(pk.TopicName),
	}})
	return pk, packets.ErrRejectPacket
}

func (h *hook) boundRetained(pk packets.Packet) packets.Packet {
	if !pk.FixedHeader.Retain || len(pk.Payload) == 0 {
		return pk
	}
	if retained := h.b.server.Topics.Retained; retained.Len() >= h.b.cfg.MaxRetained {
		if _, known := retained.Get(pk.TopicName); !known {
			pk.FixedHeader.Retain = false
		}
	}
	return pk
}

func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet) { h.b.met.dropped.Inc() }

// OnPacketEncode mends two answers of mochi: a CONNACK says how large a packet may be,
// and a QoS 2 message sent again is welcome. Mochi answers the latter with an error,
// on which an MQTT 5 client would give a message up that was kept.
func (h *hook) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Connack:
		h.version.Add(1) // a session that was kept brings its subscriptions
		pk.Properties.MaximumPacketSize = h.b.cfg.MaxPacketBytes
	case packets.Pubrec:
		if pk.ReasonCode == packets.ErrPacketIdentifierInUse.Code {
			pk.ReasonCode = packets.CodeSuccess.Code
			pk.Properties.ReasonString = ""
		}
	}
	return pk
}

func (h *hook) OnDisconnect(cl *mqtt.Client, _ error, _ bool) { h.sessions.Delete(cl) }

// OnClientExpired removes the subscriptions of a session, which mochi leaves behind.
func (h *hook) OnClientExpired(cl *mqtt.Client) {
	cl.ClearInflights()
	h.b.server.UnsubscribeClient(cl)
}

func (h *hook) session(cl *mqtt.Client) *session {
	if s, ok := h.sessions.Load(cl); ok {
		return s.(*session)
	}
	s, _ := h.sessions.LoadOrStore(cl, newSession(h.b, cl))
	return s.(*session)
}

// expectRelease remembers a QoS 2 message as received, so that mochi answers its PUBREL,
// also on a later connection of the same session.
func (h *hook) expectRelease(cl *mqtt.Client, id uint16) {
	pubrec := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id, Created: time.Now().Unix()}
	if cl.State.Inflight.Set(pubrec) {
		atomic.AddInt64(&h.b.server.Info.Inflight, 1)
	}
}
