package rest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
)

const (
	// retryStore is when to try again after the store did not answer.
	retryStore = 5 * time.Second
	// pingTimeout bounds the question whether the store is there.
	pingTimeout = time.Second
	// statusClientGone is what the log shows when nobody waits for the answer.
	statusClientGone = 499
)

// fail answers with the problem that err is.
func (s *Server) fail(c *gin.Context, err error) {
	if errors.Is(c.Request.Context().Err(), context.Canceled) {
		c.Status(statusClientGone) // for the log; nobody reads it
		return
	}
	p := s.diagnose(c.Request.Context(), err)
	if p.Cause != nil {
		s.log.Error("request failed", "request_id", requestID(c), "route", c.FullPath(), "kind", p.Kind, "error", p.Cause)
	}
	if c.Writer.Written() {
		return // too late to say anything else
	}
	problem.Write(c.Writer, c.Request, p)
}

// diagnose finds the problem for an error of any layer.
func (s *Server) diagnose(ctx context.Context, err error) *problem.Error {
	var p *problem.Error
	var invalid *auth.InvalidError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &invalid):
		return problem.BadInput(invalid.Field, invalid.Value, invalid.Allowed)
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "the body is larger than 64 KiB")
	case errors.Is(err, auth.ErrCredentials):
		return problem.New(problem.Unauthorized, "wrong e-mail address or password")
	case errors.Is(err, auth.ErrToken):
		return problem.New(problem.Unauthorized, "the token or code is unknown, was used, or has ended: log in again")
	case errors.Is(err, auth.ErrRegistration):
		return problem.New(problem.Forbidden, "accounts are made by the operator: registration is switched off")
	case errors.Is(err, auth.ErrBusy):
		return &problem.Error{Kind: problem.Unavailable, Detail: "too many logins at once", RetryAfter: retryStore}
	case errors.Is(err, store.ErrLastAdmin):
		return problem.New(problem.Conflict, "this is the last admin who may log in: make another one first")
	case errors.Is(err, store.ErrConflict):
		return problem.New(problem.Conflict, "an account with this e-mail address exists")
	case errors.Is(err, store.ErrNotFound):
		return problem.New(problem.NotFound, "it does not exist")
	}
	return s.blame(ctx, err)
}

// blame tells a store that is gone from a fault of ours.
func (s *Server) blame(ctx context.Context, err error) *problem.Error {
	ping, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
	defer cancel()
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || s.parts.Store.Ping(ping) != nil {
		return &problem.Error{
			Kind: problem.Unavailable, Detail: "the database does not answer now",
			RetryAfter: retryStore, Cause: err,
		}
	}
	return &problem.Error{Kind: problem.Internal, Detail: "something went wrong here; the request id finds it in the log", Cause: err}
}
