package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// life is how long the certificates of these tests live.
const life = 90 * 24 * time.Hour

func invitation(edge traffic.EdgeID, selector string) store.EdgeInvitation {
	return store.EdgeInvitation{Edge: edge, Label: "at the bridge", Selector: selector, SecretHash: "hash of " + selector, ExpiresAt: minute(60)}
}

func certificate(edge traffic.EdgeID, serial string, from time.Time) store.EdgeCertificate {
	return store.EdgeCertificate{Edge: edge, Serial: serial, NotAfter: from.Add(life)}
}

// revoked lists the serial numbers that are revoked.
func revoked(t *testing.T, s store.Store, now time.Time) []string {
	t.Helper()
	var out []string
	for _, c := range must(s.RevokedEdgeCertificates(t.Context(), now))(t) {
		if c.RevokedAt.IsZero() || c.RevokedAt.Location() != time.UTC || c.NotAfter.Location() != time.UTC {
			t.Errorf("revoked: %+v", c)
		}
		out = append(out, c.Serial)
	}
	return out
}

func testEdgeLife(t *testing.T, s store.Store) {
	ctx := t.Context()
	const edge = traffic.EdgeID("pi-7")
	check(t, s.InviteEdge(ctx, invitation(edge, "a"), minute(0)))
	equal(t, "invitation", must(s.EdgeInvitation(ctx, "a"))(t), invitation(edge, "a"))
	check(t, s.InviteEdge(ctx, invitation(edge, "b"), minute(1)))
	_, err := s.EdgeInvitation(ctx, "a")
	is(t, "an invitation that was replaced", err, store.ErrNotFound)

	is(t, "unknown invitation", s.EnrolEdge(ctx, "a", certificate(edge, "01", minute(2)), minute(2)), store.ErrNotFound)
	is(t, "invitation of another edge", s.EnrolEdge(ctx, "b", certificate("pi-8", "01", minute(2)), minute(2)), store.ErrNotFound)
	check(t, s.EnrolEdge(ctx, "b", certificate(edge, "01", minute(2)), minute(2)))
	is(t, "used invitation", s.EnrolEdge(ctx, "b", certificate(edge, "02", minute(3)), minute(3)), store.ErrNotFound)
	is(t, "revoking what is unknown", s.RevokeEdge(ctx, "pi-8", minute(3)), store.ErrNotFound)
	equal(t, "revoked", revoked(t, s, minute(3)), []string(nil))

	is(t, "renewing with an unknown certificate", s.RenewEdge(ctx, "99", certificate(edge, "03", minute(4)), minute(4)), store.ErrNotFound)
	is(t, "renewing for another edge", s.RenewEdge(ctx, "01", certificate("pi-8", "03", minute(4)), minute(4)), store.ErrNotFound)
	is(t, "renewing with what has ended", s.RenewEdge(ctx, "01", certificate(edge, "03", minute(4)), minute(2).Add(life)), store.ErrNotFound)
	is(t, "a serial number that was given", s.RenewEdge(ctx, "01", certificate(edge, "01", minute(4)), minute(4)), store.ErrConflict)
	check(t, s.RenewEdge(ctx, "01", certificate(edge, "03", minute(5)), minute(5)))
	check(t, s.RenewEdge(ctx, "01", certificate(edge, "04", minute(6)), minute(6))) // the answer was lost
	equal(t, "revoked after a lost answer", revoked(t, s, minute(6)), []string{"03"})
	is(t, "renewing with what was revoked", s.RenewEdge(ctx, "03", certificate(edge, "05", minute(7)), minute(7)), store.ErrNotFound)

	want := store.Edge{ID: edge, Label: "at the bridge", CreatedAt: minute(0), EnrolledAt: minute(2), NotAfter: minute(6).Add(life)}
	got, _, err := s.Edges(ctx, store.Page{})
	check(t, err)
	equal(t, "edges", got, []store.Edge{want})

	check(t, s.RevokeEdge(ctx, edge, minute(8)))
	check(t, s.RevokeEdge(ctx, edge, minute(9)))
	equal(t, "revoked", revoked(t, s, minute(9)), []string{"01", "03", "04"})
	is(t, "renewing after the revocation", s.RenewEdge(ctx, "04", certificate(edge, "05", minute(9)), minute(9)), store.ErrNotFound)
	want.RevokedAt = minute(8)
	got, _, err = s.Edges(ctx, store.Page{})
	check(t, err)
	equal(t, "revoked edge", got, []store.Edge{want})
	equal(t, "revoked, when two have ended", revoked(t, s, minute(5).Add(life)), []string{"04"})
}

// An edge that was shut out can be invited again, and a box whose card died as well: its
// lost certificate is then revoked.
func testEdgeAgain(t *testing.T, s store.Store) {
	ctx := t.Context()
	const edge = traffic.EdgeID("pi-7")
	check(t, s.InviteEdge(ctx, invitation(edge, "a"), minute(0)))
	check(t, s.EnrolEdge(ctx, "a", certificate(edge, "01", minute(0)), minute(0)))
	check(t, s.InviteEdge(ctx, invitation(edge, "b"), minute(1)))
	equal(t, "revoked by an invitation", revoked(t, s, minute(1)), []string(nil))
	check(t, s.EnrolEdge(ctx, "b", certificate(edge, "02", minute(2)), minute(2)))
	equal(t, "revoked by a second enrolment", revoked(t, s, minute(2)), []string{"01"})

	check(t, s.InviteEdge(ctx, invitation(edge, "c"), minute(3)))
	check(t, s.RevokeEdge(ctx, edge, minute(4)))
	is(t, "invitation of before the revocation", s.EnrolEdge(ctx, "c", certificate(edge, "03", minute(5)), minute(5)), store.ErrNotFound)
	check(t, s.InviteEdge(ctx, invitation(edge, "d"), minute(6)))
	check(t, s.EnrolEdge(ctx, "d", certificate(edge, "04", minute(7)), minute(7)))
	check(t, s.RenewEdge(ctx, "04", certificate(edge, "05", minute(8)), minute(8)))
	equal(t, "revoked", revoked(t, s, minute(8)), []string{"01", "02"})
	got, _, err := s.Edges(ctx, store.Page{})
	check(t, err)
	if len(got) != 1 || !got[0].RevokedAt.IsZero() || !got[0].EnrolledAt.Equal(minute(7)) {
		t.Errorf("edges %+v", got)
	}
}

func testEdgePages(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i := range 7 {
		check(t, s.InviteEdge(ctx, invitation(traffic.EdgeID(fmt.Sprintf("E%d", 6-i)), fmt.Sprint(i)), minute(i)))
	}
	got := all(t, 3, func(p store.Page) ([]store.Edge, store.Cursor, error) { return s.Edges(ctx, p) })
	for i, e := range got {
		equal(t, "name", e.ID, traffic.EdgeID(fmt.Sprintf("E%d", i)))
	}
	equal(t, "number", len(got), 7)
	_, _, err := s.Edges(ctx, store.Page{After: "x"})
	is(t, "cursor of nobody", err, store.ErrCursor)
}

// Of many that use the same invitation at once, one is served.
func testEdgeRace(t *testing.T, s store.Store) {
	ctx := t.Context()
	check(t, s.InviteEdge(ctx, invitation("pi-7", "a"), minute(0)))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.EnrolEdge(ctx, "a", certificate("pi-7", fmt.Sprintf("%02x", i), minute(1)), minute(1))
		})
	}
	wg.Wait()
	served := 0
	for _, err := range errs {
		if err == nil {
			served++
		} else {
			is(t, "loser", err, store.ErrNotFound)
		}
	}
	equal(t, "served", served, 1)
}
