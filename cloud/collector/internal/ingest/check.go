package ingest

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// clockTolerance is how far an edge's clock may be ahead of ours, beside what
	// traffic.MaxFuture allows a sensor's to be ahead of the edge's.
	clockTolerance = 10 * time.Minute
	// maxText bounds texts about rejections.
	maxText = 512
	// knownQuality are the remarks that a reading can bear; a newer edge's others
	// are not kept.
	knownQuality = traffic.QualityReceiveTime | traffic.QualityClock | traffic.QualityLate | traffic.QualityThinned
)

// What no database can hold must be found here or by Reading.Validate: a transaction
// that fails for it would fail for ever and stop everybody.

func checkEdge(e traffic.EdgeID) error {
	switch {
	case e == "" || len(e) > traffic.MaxIDBytes:
		return fmt.Errorf("edge name of %d bytes: want 1 to %d", len(e), traffic.MaxIDBytes)
	case !utf8.ValidString(string(e)) || strings.ContainsFunc(string(e), unicode.IsControl):
		return fmt.Errorf("edge name %q: want printable UTF-8", e)
	}
	return nil
}

// tidy settles what is the receiver's to settle. A score outside of its range was
// computed by somebody else's rules: it is computed anew.
func tidy(r *traffic.Reading, edge traffic.EdgeID) {
	r.Edge = edge
	r.Quality &= knownQuality
	if v, ok := r.Score.Get(); ok && !(v >= 0 && v <= 1) {
		r.Score = traffic.Value{}
	}
}

// reasons are those that an edge may give.
func reasons() []traffic.Reason {
	return []traffic.Reason{
		traffic.ReasonParse, traffic.ReasonID, traffic.ReasonTime, traffic.ReasonFuture,
		traffic.ReasonRange, traffic.ReasonEmpty, traffic.ReasonSize,
	}
}

// tidyRejected makes an edge's record of a rejection one that can be stored.
func (d *decoder) tidyRejected(r traffic.Rejected, edge traffic.EdgeID) traffic.Rejected {
	r.ID, r.Edge = "", edge
	r.Origin, r.Detail = clean(r.Origin), clean(r.Detail)
	r.Payload = r.Payload[:min(len(r.Payload), traffic.MaxRejectedPayload)]
	if !slices.Contains(reasons(), r.Reason) {
		r.Detail = clean(string(r.Reason) + ": " + r.Detail)
		r.Reason = traffic.ReasonParse
	}
	if now := d.now().UTC(); r.At.Before(traffic.Earliest) || r.At.After(now.Add(clockTolerance)) {
		r.At = now.Truncate(traffic.Resolution)
	}
	return r
}

// tidyGap makes an edge's record of a loss one that can be stored: times that cannot be
// are as unknown as those that it does not tell.
func (d *decoder) tidyGap(g traffic.Gap, edge traffic.EdgeID) traffic.Gap {
	g.Edge, g.Cause = edge, traffic.GapCause(clean(string(g.Cause)))
	now := d.now().UTC().Truncate(traffic.Resolution)
	possible := func(at time.Time) bool { return !at.Before(traffic.Earliest) && !at.After(now.Add(clockTolerance)) }
	if !possible(g.From) || !possible(g.To) || g.To.Before(g.From) {
		g.From, g.To = time.Time{}, time.Time{}
	}
	if !possible(g.Noticed) {
		g.Noticed = now
	}
	return g
}

// clean shortens a text for people to one that every database takes.
func clean(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "�"), "�")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
