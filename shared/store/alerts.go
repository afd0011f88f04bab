package store

import (
	"context"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An AlertWriter stores alerts; one that exists is replaced.
type AlertWriter interface {
	PutAlerts(ctx context.Context, as []traffic.Alert) error
}

// AlertState tells alerts that go on from those that are over.
type AlertState string

// The states of an alert.
const (
	AlertActive AlertState = "active"
	AlertEnded  AlertState = "ended"
)

// AlertQuery selects alerts.
type AlertQuery struct {
	// State keeps the alerts that have it; empty means all.
	State AlertState
	// From and To bound Alert.Start, half open; zero is open.
	From, To time.Time
	Page     Page
}

// An AlertReader lists alerts, newest Start first, then by road and kind.
type AlertReader interface {
	Alerts(ctx context.Context, q AlertQuery) ([]traffic.Alert, Cursor, error)
}

// A SkillWriter keeps how well the models do. PutSkills replaces all that the shard said
// before, and takes away what shards said that are not among the of any more.
type SkillWriter interface {
	PutSkills(ctx context.Context, shard, of int, ss []traffic.Skill) error
}

// A SkillReader returns how well the models do, by shard, model, horizon and group. There
// are some hundred rows a shard.
type SkillReader interface {
	Skills(ctx context.Context) ([]traffic.Skill, error)
}
