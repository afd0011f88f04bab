package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

// ticketAnswer answers POST /api/stream/ticket.
type ticketAnswer struct {
	Ticket    string    `json:"ticket"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ticket answers POST /api/stream/ticket.
func (s *Server) ticket(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	ticket, expires, err := s.parts.Keeper.NewTicket(identityOf(c))
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, ticketAnswer{ticket, expires})
}

// events answers GET /api/stream: what /ws/live says, as server-sent events.
func (s *Server) events(c *gin.Context) error {
	sub, err := readSubscription(c.Request)
	if err != nil {
		return err
	}
	// A browser that connects again says in this header what it has.
	if last := c.GetHeader("Last-Event-ID"); last != "" {
		seq, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return problem.BadInput("Last-Event-ID", last, "the id of an event")
		}
		sub.Seq = &seq
	}
	if p := s.parts.Hub.Events(c.Writer, c.Request, identityOf(c), sub); p != nil {
		return p
	}
	return nil
}
