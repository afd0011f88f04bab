package agent

import (
	"encoding/json"
	"time"

	"github.com/2zrhun/city-flow/edge/remote"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Status is what an edge tells about itself on its status topic, as JSON:
// docs/formats/status.md.
type Status struct {
	Edge traffic.EdgeID `json:"edge_id"`
	// State is "online", or "offline" in the last will.
	State   string `json:"state"`
	Version string `json:"version"`
	// At is the edge's clock when the status was made, absent while that is unknown
	// and in the last will, which has none of the following either.
	At *time.Time `json:"at,omitempty"`
	// UptimeS is the age of the process in seconds.
	UptimeS float64       `json:"uptime_s,omitempty"`
	Uplink  *UplinkStatus `json:"uplink,omitempty"`
	Buffer  *BufferStatus `json:"buffer,omitempty"`
	Clock   *ClockStatus  `json:"clock,omitempty"`
	// Config is what became of the centre's newest settings, absent before there were
	// any.
	Config *remote.State `json:"config,omitempty"`
	// Certificate is absent on an edge that was not enrolled.
	Certificate *CertificateStatus `json:"certificate,omitempty"`
}

// CertificateStatus is the edge's proof of who it is.
type CertificateStatus struct {
	NotAfter time.Time `json:"not_after"`
	// Error is why it could not be renewed the last time, empty when it could or
	// was not due.
	Error string `json:"error,omitempty"`
}

// UplinkStatus is the link to the central broker.
type UplinkStatus struct {
	URL string `json:"url"`
	// ConnectedS is for how many seconds it has been connected, AckAgeS how long ago
	// the collector said anything; absent when it is not or did not.
	ConnectedS *float64 `json:"connected_s,omitempty"`
	AckAgeS    *float64 `json:"ack_age_s,omitempty"`
	// Window is how many batches may be unacknowledged, Out how many are.
	Window int `json:"window"`
	Out    int `json:"out_batches"`
	// StuckClients of the MQTT library were left behind.
	StuckClients int `json:"stuck_clients"`
}

// BufferStatus is what waits for the centre's acknowledgement.
type BufferStatus struct {
	Bytes    int64  `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
	Batches  uint64 `json:"batches"`
	// Undated batches of these wait until the time is known.
	Undated uint64 `json:"undated_batches"`
	// Lost readings since the process began by cause (traffic.GapCause), and Gaps, the
	// records of losses that the centre has not yet.
	Lost map[traffic.GapCause]int `json:"lost_readings,omitempty"`
	Gaps int                      `json:"unreported_gaps"`
	// LagS is the age in seconds of the oldest, 0 without any.
	LagS float64 `json:"lag_s"`
	// WrittenBytes were given to the disk since the process began, in Syncs syncs.
	WrittenBytes uint64 `json:"written_bytes"`
	Syncs        uint64 `json:"syncs"`
}

// ClockStatus is what the edge knows about the time.
type ClockStatus struct {
	// Source is one of clock's: unknown, operator, ntp, server, saved.
	Source string `json:"source"`
	// OffsetS is the collector's clock minus the edge's in seconds, absent before any
	// collector answered; ErrorS how wrong the edge's may be where nothing keeps it.
	OffsetS *float64 `json:"offset_s,omitempty"`
	ErrorS  float64  `json:"error_s"`
	// MachineOffsetS is the edge's time minus what its machine's clock says.
	MachineOffsetS float64 `json:"machine_offset_s"`
	// Steps counts how often the machine's clock was set.
	Steps int `json:"steps"`
}

// Status is the edge as it is now.
func (a *Agent) Status() Status {
	s := Status{
		Edge: a.cfg.Edge, State: "online", Version: a.cfg.Version, UptimeS: seconds(time.Since(a.started)),
		Uplink: a.uplinkStatus(), Clock: a.clockStatus(), Certificate: a.certificateStatus(),
	}
	now, known := a.clock.Read()
	if known {
		now = now.Truncate(time.Millisecond)
		s.At = &now
	}
	if a.remote != nil {
		if c := a.remote.State(); c.Result != "" {
			s.Config = &c
		}
	}
	b := a.buffer.Stats()
	s.Buffer = &BufferStatus{
		Bytes: b.Bytes, MaxBytes: b.MaxBytes, Batches: b.Batches, Undated: b.Undated,
		Lost: a.buffer.Lost(), Gaps: b.Gaps, WrittenBytes: b.Written, Syncs: b.Syncs,
	}
	if !b.Oldest.IsZero() {
		s.Buffer.LagS = max(0, seconds(now.Sub(b.Oldest)))
	}
	return s
}

func (a *Agent) uplinkStatus() *UplinkStatus {
	link := a.uplink.State()
	s := &UplinkStatus{URL: a.uplink.Config().URL, Window: link.Window, Out: link.Out, StuckClients: link.Stuck}
	if link.Connected {
		d := seconds(time.Since(link.Since))
		s.ConnectedS = &d
	}
	if !link.LastAck.IsZero() {
		d := seconds(time.Since(link.LastAck))
		s.AckAgeS = &d
	}
	return s
}

func (a *Agent) clockStatus() *ClockStatus {
	c := a.clock.State()
	s := &ClockStatus{Source: string(c.Source), ErrorS: seconds(c.Error), MachineOffsetS: seconds(c.Machine), Steps: c.Steps}
	if c.Heard {
		d := seconds(c.Offset)
		s.OffsetS = &d
	}
	return s
}

func (a *Agent) certificateStatus() *CertificateStatus {
	if a.cfg.Certificate == nil {
		return nil
	}
	notAfter, err := a.cfg.Certificate()
	s := &CertificateStatus{NotAfter: notAfter.UTC()}
	if err != nil {
		s.Error = err.Error()
	}
	return s
}

// seconds is d to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// status is the payload of the status topic now.
func (a *Agent) status() []byte { return encode(a.Status()) }

// offline is the payload that remains when the edge is gone.
func (a *Agent) offline() []byte {
	return encode(Status{Edge: a.cfg.Edge, State: "offline", Version: a.cfg.Version})
}

func encode(s Status) []byte {
	b, err := json.Marshal(s)
	if err != nil { // numbers and text always can be
		return []byte("{}")
	}
	return b
}
