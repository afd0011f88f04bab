package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Channel is one kind of change that a client may follow. It is also the type of
// the messages that tell of it.
type Channel string

// The channels.
const (
	ChannelTraffic     Channel = "traffic_update"
	ChannelPredictions Channel = "predictions"
	ChannelReroutes    Channel = "reroutes"
	ChannelAlerts      Channel = "alert"
)

// Channels lists all channels.
func Channels() []Channel {
	return []Channel{ChannelTraffic, ChannelPredictions, ChannelReroutes, ChannelAlerts}
}

// The limits of a subscription.
const (
	// DefaultHorizonMin is the horizon of those who do not choose.
	DefaultHorizonMin = 30
	// MaxHorizonMin is the farthest horizon, a day.
	MaxHorizonMin = 1440
	maxHorizons   = 8
	maxRoads      = 5000
)

// A Subscription is what a client wants to follow.
type Subscription struct {
	// BBox and Roads keep roads that match either; both nil keeps all.
	BBox  *store.BBox
	Roads []traffic.RoadID
	// Channels, nil means all.
	Channels []Channel
	// Horizons of forecasts in minutes, nil means DefaultHorizonMin.
	Horizons []int
	// Seq is where the client stands, nil when it has nothing.
	Seq *uint64
}

// An InputError says what is wrong with a request of a client.
type InputError struct {
	field, value, allowed string
}

// Error names the field, the value and what is allowed.
func (e *InputError) Error() string {
	return fmt.Sprintf("%s: %s is not allowed: want %s", e.field, e.value, e.allowed)
}

// Problem is the error as an answer to a request.
func (e *InputError) Problem() *problem.Error { return problem.BadInput(e.field, e.value, e.allowed) }

// Validate returns an error that names the field, the value and what is allowed.
func (s *Subscription) Validate() *InputError {
	if b := s.BBox; b != nil {
		if err := CheckBBox(*b); err != nil {
			return err
		}
	}
	if len(s.Roads) > maxRoads {
		return &InputError{"roads", strconv.Itoa(len(s.Roads)) + " ids", fmt.Sprintf("at most %d", maxRoads)}
	}
	for _, c := range s.Channels {
		if !slices.Contains(Channels(), c) {
			return &InputError{"channels", strconv.Quote(string(c)), fmt.Sprint(Channels())}
		}
	}
	if len(s.Horizons) > maxHorizons {
		return &InputError{"horizons", strconv.Itoa(len(s.Horizons)) + " of them", fmt.Sprintf("at most %d", maxHorizons)}
	}
	for _, h := range s.Horizons {
		if h < 1 || h > MaxHorizonMin {
			return &InputError{"horizons", strconv.Itoa(h), fmt.Sprintf("1 to %d minutes", MaxHorizonMin)}
		}
	}
	return nil
}

// CheckBBox returns an error unless b is a rectangle on the globe.
func CheckBBox(b store.BBox) *InputError {
	inRange := b.MinLng >= -180 && b.MaxLng <= 180 && b.MinLat >= -90 && b.MaxLat <= 90
	if !inRange || !(b.MinLng <= b.MaxLng) || !(b.MinLat <= b.MaxLat) {
		return &InputError{
			"bbox", fmt.Sprintf("%g,%g,%g,%g", b.MinLng, b.MinLat, b.MaxLng, b.MaxLat),
			"minLng,minLat,maxLng,maxLat with minima not above maxima, lng -180 to 180, lat -90 to 90",
		}
	}
	return nil
}

// request is a message from a client.
type request struct {
	Type     string           `json:"type"`
	BBox     []float64        `json:"bbox"`
	Roads    []traffic.RoadID `json:"roads"`
	Channels []Channel        `json:"channels"`
	Horizons []int            `json:"horizons"`
	Seq      *uint64          `json:"seq"`
}

// parseRequest reads a subscribe message.
func parseRequest(text []byte) (Subscription, error) {
	var r request
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Subscription{}, &InputError{"message", "this", "a JSON object of type subscribe: " + cause(err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Subscription{}, &InputError{"message", "more than one value", "one JSON object"}
	}
	if r.Type != "subscribe" {
		return Subscription{}, &InputError{"type", strconv.Quote(r.Type), `"subscribe"`}
	}
	s := Subscription{Roads: r.Roads, Channels: r.Channels, Horizons: r.Horizons, Seq: r.Seq}
	if r.BBox != nil {
		if len(r.BBox) != 4 {
			return Subscription{}, &InputError{"bbox", strconv.Itoa(len(r.BBox)) + " numbers", "4"}
		}
		s.BBox = &store.BBox{MinLng: r.BBox[0], MinLat: r.BBox[1], MaxLng: r.BBox[2], MaxLat: r.BBox[3]}
	}
	if err := s.Validate(); err != nil {
		return Subscription{}, err
	}
	return s, nil
}

// cause is the decoder's complaint without Go's names for things.
func cause(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Sprintf("field %s is a %s", wrongType.Field, wrongType.Value)
	}
	return err.Error()
}

func (s *Subscription) wants(c Channel) bool {
	return s.Channels == nil || slices.Contains(s.Channels, c)
}

func (s *Subscription) horizons() []int {
	if s.Horizons == nil {
		return []int{DefaultHorizonMin}
	}
	return s.Horizons
}

// everywhere reports whether no road is filtered out.
func (s *Subscription) everywhere() bool { return s.BBox == nil && s.Roads == nil }
