package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// ErrClosed is returned by every call on a bus that was closed.
var ErrClosed = errors.New("bus is closed")

// A Topic is one kind of news.
type Topic string

// The topics. In Redis, the channel of a topic is "cityflow:" and its name.
const (
	// TopicLive carries the newest state of roads, in Event.Roads.
	TopicLive Topic = "live"
	// TopicPredictions carries one cycle's forecasts, in Event.Predictions.
	TopicPredictions Topic = "predictions"
	// TopicReroutes carries the advice that is now in force, in Event.Reroutes;
	// an empty list says that there is none.
	TopicReroutes Topic = "reroutes"
	// TopicAlerts carries alerts that were raised, changed or ended, in Event.Alerts.
	TopicAlerts Topic = "alerts"
)

// Topics lists all topics.
func Topics() []Topic {
	return []Topic{TopicLive, TopicPredictions, TopicReroutes, TopicAlerts}
}

// An Event is one piece of news. Receivers share its slices and change nothing.
type Event struct {
	Topic       Topic
	Roads       []traffic.RoadState
	Predictions []traffic.Prediction
	Reroutes    []traffic.Reroute
	Alerts      []traffic.Alert
	// Missed counts the events of this topic that this subscriber lost just
	// before this one. Receivers that keep state read the store when it is
	// not zero. Publishers leave it zero.
	Missed uint64
}

// Check returns an error when the event carries what its topic does not.
func (e *Event) Check() error {
	own := map[Topic]bool{
		TopicLive: e.Roads != nil, TopicPredictions: e.Predictions != nil, TopicReroutes: e.Reroutes != nil, TopicAlerts: e.Alerts != nil,
	}
	_, known := own[e.Topic]
	for topic, carried := range own {
		if !known || carried && topic != e.Topic {
			return fmt.Errorf("bus event with topic %q carries %d roads, %d predictions, %d reroutes, %d alerts: want only what belongs to one of the topics %v",
				e.Topic, len(e.Roads), len(e.Predictions), len(e.Reroutes), len(e.Alerts), Topics())
		}
	}
	return nil
}

// A Publisher spreads news. Publish never waits for subscribers.
type Publisher interface {
	Publish(ctx context.Context, e Event) error
}

// A Subscriber hears news.
type Subscriber interface {
	// Subscribe returns the news of the given topics from now on. The channel is
	// bounded: a subscriber that is too slow loses the oldest events and is told
	// by Missed. It is closed when ctx ends or the bus is closed. A broken link is
	// mended by the bus itself; the first event after it has Missed > 0.
	Subscribe(ctx context.Context, topics ...Topic) (<-chan Event, error)
}

// A Bus does both.
type Bus interface {
	Publisher
	Subscriber
	// Ping returns nil when news can be spread now.
	Ping(ctx context.Context) error
	Close() error
}
