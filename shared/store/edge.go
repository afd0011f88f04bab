package store

import (
	"context"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An Edge is a box near the sensors that was invited to have a certificate.
type Edge struct {
	ID    traffic.EdgeID
	Label string
	// CreatedAt is when it was invited for the first time.
	CreatedAt time.Time
	// EnrolledAt is when it last used an invitation, NotAfter when its newest
	// certificate ends, RevokedAt when it was shut out; each zero when it was not.
	EnrolledAt, NotAfter, RevokedAt time.Time
}

// An EdgeInvitation lets somebody enrol as one edge, once. The secret itself is not
// stored.
type EdgeInvitation struct {
	Edge  traffic.EdgeID
	Label string
	// Selector finds the invitation. It is no secret.
	Selector string
	// SecretHash is what the secret is compared with.
	SecretHash string
	ExpiresAt  time.Time
}

// An EdgeCertificate is one that was issued. Serial is its number in hexadecimal.
type EdgeCertificate struct {
	Serial   string
	Edge     traffic.EdgeID
	NotAfter time.Time
	// RevokedAt is zero while the certificate is good.
	RevokedAt time.Time
}

// Edges keeps which edges may have a certificate, and which certificates must no
// longer be taken. An edge has at most two good ones: the newest, and the one it was
// renewed with.
type Edges interface {
	// InviteEdge stores an invitation in place of an earlier one for the same edge,
	// and the edge where it is new. Certificates that it has stay as they are.
	InviteEdge(ctx context.Context, i EdgeInvitation, now time.Time) error
	// EdgeInvitation finds one that was not used; ErrNotFound when there is none.
	// It does not look at ExpiresAt.
	EdgeInvitation(ctx context.Context, selector string) (EdgeInvitation, error)
	// EnrolEdge uses an invitation up, revokes what certificates its edge has, and
	// stores the new one, in one transaction. It ends a revocation of the edge.
	// ErrNotFound when somebody was faster, or c is for another edge.
	EnrolEdge(ctx context.Context, selector string, c EdgeCertificate, now time.Time) error
	// RenewEdge stores a certificate that follows the one with the serial old, which
	// stays good; others of the edge are revoked. ErrNotFound when old is not a good
	// certificate of c.Edge at now.
	RenewEdge(ctx context.Context, old string, c EdgeCertificate, now time.Time) error
	// RevokeEdge revokes all certificates of an edge and drops its invitation.
	// ErrNotFound when there is no such edge. Again is no error and changes nothing.
	RevokeEdge(ctx context.Context, id traffic.EdgeID, now time.Time) error
	// Edges lists edges in the byte order of their names.
	Edges(ctx context.Context, p Page) ([]Edge, Cursor, error)
	// RevokedEdgeCertificates returns those that have not ended by now, by serial.
	RevokedEdgeCertificates(ctx context.Context, now time.Time) ([]EdgeCertificate, error)
}
