package rest

import (
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/enrolment"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// maxLabelChars bounds what an admin calls an edge.
const maxLabelChars = 200

// invitationRequest is the body of POST /api/edges.
type invitationRequest struct {
	Edge  string `json:"edge_id"`
	Label string `json:"label"`
}

// invitation answers it. The token is shown this once.
type invitation struct {
	Edge      string    `json:"edge_id"`
	Label     string    `json:"label"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
}

// edge is what an operator sees of one.
type edge struct {
	ID         string     `json:"edge_id"`
	Label      string     `json:"label"`
	CreatedAt  time.Time  `json:"created_at"`
	EnrolledAt *time.Time `json:"enrolled_at"`
	NotAfter   *time.Time `json:"not_after"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func edgeOf(e *store.Edge) edge {
	return edge{
		ID: string(e.ID), Label: e.Label, CreatedAt: e.CreatedAt,
		EnrolledAt: orNull(e.EnrolledAt), NotAfter: orNull(e.NotAfter), RevokedAt: orNull(e.RevokedAt),
	}
}

// edges answers GET /api/edges.
func (s *Server) edges(c *gin.Context) error {
	q := newQuery(c.Request)
	page := q.page()
	if err := q.done(); err != nil {
		return err
	}
	es, next, err := s.parts.Store.Edges(c.Request.Context(), page)
	if err != nil {
		return ofCursor(err, page)
	}
	return write(c, http.StatusOK, show(es, next, edgeOf))
}

// inviteEdge answers POST /api/edges.
func (s *Server) inviteEdge(c *gin.Context) error {
	var in invitationRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	if pki.CheckName(in.Edge) != nil {
		return problem.BadInput("edge_id", in.Edge, pki.AllowedNames)
	}
	if utf8.RuneCountInString(in.Label) > maxLabelChars {
		return problem.BadInput("label", in.Label, fmt.Sprintf("at most %d characters", maxLabelChars))
	}
	token, expires, err := s.parts.Edges.Invite(c.Request.Context(), traffic.EdgeID(in.Edge), in.Label)
	if err != nil {
		return ofEnrolment(err)
	}
	s.audit(c, "an edge was invited", "edge", in.Edge, "by_user", identityOf(c).UserID)
	return write(c, http.StatusCreated, invitation{Edge: in.Edge, Label: in.Label, Token: token, ExpiresAt: expires})
}

// enrolEdge answers POST /api/edges/enrol.
func (s *Server) enrolEdge(c *gin.Context) error {
	var in pki.Enrolment
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Token == "" || in.Request == "" {
		return problem.New(problem.BadBody, "token and csr are required")
	}
	out, err := s.parts.Edges.Enrol(c.Request.Context(), in)
	if err != nil {
		s.log.Warn("an edge was not enrolled", "request_id", requestID(c), "client", c.ClientIP(), "reason", err)
		return ofEnrolment(err)
	}
	s.audit(c, "an edge was enrolled", "edge", out.Edge, "not_after", out.NotAfter)
	return write(c, http.StatusOK, out)
}

// renewEdge answers POST /api/edges/renew.
func (s *Server) renewEdge(c *gin.Context) error {
	var in pki.Renewal
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Request == "" || in.Certificate == "" || len(in.Signature) == 0 {
		return problem.New(problem.BadBody, "csr, certificate and signature are required")
	}
	out, err := s.parts.Edges.Renew(c.Request.Context(), in)
	if err != nil {
		s.log.Warn("an edge's certificate was not renewed", "request_id", requestID(c), "client", c.ClientIP(), "reason", err)
		return ofEnrolment(err)
	}
	s.audit(c, "an edge's certificate was renewed", "edge", out.Edge, "not_after", out.NotAfter)
	return write(c, http.StatusOK, out)
}

// revokeEdge answers POST /api/edges/{edge_id}/revoke.
func (s *Server) revokeEdge(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	id := c.Param("edge_id")
	if pki.CheckName(id) != nil {
		return problem.BadInput("edge_id", id, pki.AllowedNames)
	}
	if err := s.parts.Edges.Revoke(c.Request.Context(), traffic.EdgeID(id)); err != nil {
		return err
	}
	s.audit(c, "an edge was revoked", "edge", id, "by_user", identityOf(c).UserID)
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

// revocationList answers GET /api/edges/crl.
func (s *Server) revocationList(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	list, err := s.parts.Edges.RevocationList(c.Request.Context())
	if err != nil {
		return ofEnrolment(err)
	}
	if !unchanged(c, list.Version, "no-cache") {
		c.Data(http.StatusOK, "application/pkix-crl", list.DER)
	}
	return nil
}

// audit logs what changes who may speak for the city's edges.
func (s *Server) audit(c *gin.Context, what string, args ...any) {
	s.log.Info(what, append(args, "request_id", requestID(c), "client", c.ClientIP())...)
}

// ofEnrolment says what went wrong to whoever asked; it does not tell a wrong token from
// a used one.
func ofEnrolment(err error) error {
	var request *enrolment.RequestError
	switch {
	case errors.As(err, &request):
		return problem.New(problem.BadBody, request.Error())
	case errors.Is(err, enrolment.ErrNoAuthority):
		return problem.New(problem.NotFound, "edges get no certificates here: the operator gave no authority (edge-ca-cert and edge-ca-key)")
	case errors.Is(err, enrolment.ErrToken):
		return problem.New(problem.Unauthorized, "the token is unknown, was used, or has ended: ask an admin for a new one")
	case errors.Is(err, enrolment.ErrExpired):
		return problem.New(problem.Unauthorized, "the certificate has ended: ask an admin for a new token and enrol again")
	case errors.Is(err, enrolment.ErrRevoked):
		return problem.New(problem.Forbidden, "the certificate was revoked or is none of this city's: ask an admin")
	}
	return err
}
