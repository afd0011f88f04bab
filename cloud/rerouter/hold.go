package rerouter

import (
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
)

// held is advice that was given, and when.
type held struct {
	detour.Detour
	at time.Time
}

// forgetHeld drops what the cycle before did not give, and what is older than oldest.
func (s *state) forgetHeld(oldest time.Time) {
	for road, h := range s.held {
		if !h.at.Equal(s.advisedAt) || h.at.Before(oldest) {
			delete(s.held, road)
		}
	}
}
