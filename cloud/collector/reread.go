package collector

import (
	"time"

	"github.com/2zrhun/city-flow/cloud/collector/internal/ingest"
)

// A Rereader judges messages that were refused once more, by the rules of this version;
// see `cityflow rejected replay`.
type Rereader = ingest.Rereader

// NewRereader returns a rereader that goes by the system's clock. Its Reread returns what
// of a record is to be stored now, or why the message stays refused.
func NewRereader() *Rereader { return ingest.NewRereader(time.Now) }
