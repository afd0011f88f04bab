package works

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// IssueKind is what is wrong with a row. Names are added, never changed.
type IssueKind string

// The kinds of issues. Of the first group the row is left out; the others load.
const (
	// BadRow cannot be read.
	BadRow IssueKind = "bad_row"
	// NoDates has no beginning or no end.
	NoDates IssueKind = "no_dates"
	// EndsFirst ends before it begins.
	EndsFirst IssueKind = "ends_first"
	// Duplicate has the id of an earlier row.
	Duplicate IssueKind = "duplicate"

	// WrongInstant has an instant that is not the time of its sentence.
	WrongInstant IssueKind = "wrong_instant"
	// NoSentence has no sentence that can be read: the instants are taken, which are
	// wrong elsewhere.
	NoSentence IssueKind = "no_sentence"
	// NoShape has no geometry: it cannot be located.
	NoShape IssueKind = "no_shape"
	// FarEnd lasts longer than five years.
	FarEnd IssueKind = "far_end"
	// NowhereNear touches no road of the network.
	NowhereNear IssueKind = "nowhere_near"
)

// Dropped reports whether rows with this issue were left out.
func (k IssueKind) Dropped() bool {
	return k == BadRow || k == NoDates || k == EndsFirst || k == Duplicate
}

// An Issue is one remark about a row.
type Issue struct {
	Kind IssueKind `json:"kind"`
	// Where is "file:line".
	Where  string `json:"where,omitempty"`
	ID     string `json:"id,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// maxIssuesPerKind bounds what a hopeless file can make a report hold.
const maxIssuesPerKind = 1000

// A Report says what an import found.
type Report struct {
	// Format names what the file was recognised as.
	Format string `json:"format"`
	// Rows counts rows below the header, Works what loaded.
	Rows  int `json:"rows"`
	Works int `json:"works"`
	// Located counts the works that touch a road, Roads the roads they touch; both
	// are 0 before Locate.
	Located int `json:"located"`
	Roads   int `json:"roads"`
	// Counts are the issues by kind, Issues at most 1,000 of each.
	Counts map[IssueKind]int `json:"counts"`
	Issues []Issue           `json:"issues"`
}

func (r *Report) add(i Issue) {
	if r.Counts == nil {
		r.Counts = make(map[IssueKind]int)
	}
	r.Counts[i.Kind]++
	if r.Counts[i.Kind] <= maxIssuesPerKind {
		r.Issues = append(r.Issues, i)
	}
}

// String is a summary of a few lines.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d works, %d of them on %d roads\n", r.Format, r.Rows, r.Works, r.Located, r.Roads)
	for _, k := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(&b, "%s: %d\n", k, r.Counts[k])
	}
	return b.String()
}
