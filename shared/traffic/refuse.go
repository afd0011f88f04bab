package traffic

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Sink takes readings over from its caller.
//
// A nil error means that the sink answers for the whole batch from now on, even
// if the machine loses power the moment after. Any other error leaves the batch
// with the caller, who offers it again; a reading offered twice counts once,
// because (Sensor, At) names it. A *Refused lists the readings that no retry will
// make acceptable; the others of that batch are taken.
type Sink interface {
	Accept(ctx context.Context, batch []Reading) error
}

// Reason is why a message or a reading was refused. It is a metric label and a
// database value: names are added, never changed.
type Reason string

// The reasons for a refusal.
const (
	// ReasonParse is a payload that is not the expected format.
	ReasonParse Reason = "unparsable"
	// ReasonID is a missing or unusable sensor or road name.
	ReasonID Reason = "bad_id"
	// ReasonTime is a missing, unreadable or impossibly old time.
	ReasonTime Reason = "bad_time"
	// ReasonFuture is a time too far ahead of the receiver's clock.
	ReasonFuture Reason = "future"
	// ReasonRange is a quantity outside its limits.
	ReasonRange Reason = "out_of_range"
	// ReasonEmpty is a reading without any quantity.
	ReasonEmpty Reason = "empty"
	// ReasonSize is a message larger than the receiver takes.
	ReasonSize Reason = "too_large"
)

// An InvalidError says what is wrong with one reading.
type InvalidError struct {
	Reason Reason
	// Field is the name of the field as the sender wrote it.
	Field string
	// Value is what was found, shortened for people.
	Value string
	// Allowed says what would have been taken.
	Allowed string
}

// Error names the field, the value and what is allowed.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s: %s is not allowed: want %s", e.Field, e.Value, e.Allowed)
}

func invalid(reason Reason, field, value, allowed string) error {
	return &InvalidError{Reason: reason, Field: field, Value: value, Allowed: allowed}
}

// Refused is the error of a Sink that took a batch except for some readings that
// no retry will make acceptable.
type Refused struct {
	Items []Refusal
}

// A Refusal is one reading of a batch that was not taken.
type Refusal struct {
	// Index is the reading's place in the batch that was offered.
	Index int
	// Err says why, usually an *InvalidError.
	Err error
}

// Error counts the refusals and shows the first.
func (r *Refused) Error() string {
	if len(r.Items) == 0 {
		return "no reading refused"
	}
	return fmt.Sprintf("%d readings refused, first: #%d: %v", len(r.Items), r.Items[0].Index, r.Items[0].Err)
}

// MaxRejectedPayload is how many bytes of a rejected message are kept.
const MaxRejectedPayload = 256

// A Rejected is the record of something that was not taken, kept so that its
// sender can be found and put right. Its ID is empty until a store gave it one.
type Rejected struct {
	ID string
	// At is when it was rejected, by the rejecting machine's clock.
	At   time.Time
	Edge EdgeID
	// Origin is where it came from: an MQTT topic, or file:line.
	Origin string
	// Payload is the head of the message, at most MaxRejectedPayload bytes.
	Payload []byte
	Reason  Reason
	// Detail is the sentence for people.
	Detail string
}

// ReasonOf classifies an error of Validate; any other is ReasonRange.
func ReasonOf(err error) Reason {
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		return invalid.Reason
	}
	return ReasonRange
}
