package parisfeed

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Columns says where a table of counts has which field; -1 is "not there".
type Columns struct {
	arc, stamp, date, hour, flow, occupancy    int
	label, fromNode, toNode, point, lng, shape int
}

// names are the spellings of each field after Fold: the API's, the French labels,
// and the labels as they look after a tool destroyed the accents.
func (c *Columns) names() []struct {
	at    *int
	names []string
} {
	return []struct {
		at    *int
		names []string
	}{
		{&c.arc, []string{"iuac", "identifiantarc"}},
		{&c.stamp, []string{"t1h", "dateetheuredecomptage"}},
		{&c.date, []string{"date"}},
		{&c.hour, []string{"heure"}},
		{&c.flow, []string{"q", "debithoraire", "dbithoraire"}},
		{&c.occupancy, []string{"k", "tauxdoccupation"}},
		{&c.label, []string{"libelle", "libell"}},
		{&c.fromNode, []string{"iundamont", "identifiantnoeudamont", "identifiantnudamont"}},
		{&c.toNode, []string{"iundaval", "identifiantnoeudaval", "identifiantnudaval"}},
		{&c.point, []string{"geopoint2d"}},
		{&c.lng, []string{"unnamed14"}}, // second half of a geo_point_2d split at its comma
		{&c.shape, []string{"geoshape"}},
	}
}

// Wanted names the columns that a table of Paris counts must have, for messages.
const Wanted = "iu_ac (Identifiant arc), t_1h (Date et heure de comptage; or Date and Heure), and q (Débit horaire) or k (Taux d'occupation)"

// FindColumns locates the fields in a header. claimed reports that the table has an
// arc identifier, so is meant to be a Paris table; complete that the wanted columns
// are all there.
func FindColumns(header []string) (c Columns, claimed, complete bool) {
	place := make(map[string]int, len(header))
	for i, h := range header {
		if f := Fold(h); f != "" {
			if _, taken := place[f]; !taken {
				place[f] = i
			}
		}
	}
	for _, f := range c.names() {
		*f.at = -1
		for _, n := range f.names {
			if i, ok := place[n]; ok {
				*f.at = i
				break
			}
		}
	}
	claimed = c.arc >= 0
	timed := c.stamp >= 0 || (c.date >= 0 && c.hour >= 0)
	return c, claimed, claimed && timed && (c.flow >= 0 || c.occupancy >= 0)
}

// Record picks the fields out of a row that is as long as the header was.
func (c *Columns) Record(row []string) Record {
	pick := func(i int) string {
		if i < 0 || i >= len(row) {
			return ""
		}
		return row[i]
	}
	r := Record{
		Arc: pick(c.arc), Stamp: pick(c.stamp), Flow: pick(c.flow), Occupancy: pick(c.occupancy),
		Label: pick(c.label), FromNode: pick(c.fromNode), ToNode: pick(c.toNode),
		Point: pick(c.point), Shape: pick(c.shape),
	}
	if c.stamp < 0 {
		r.Stamp = dayFirst(pick(c.date), pick(c.hour))
	}
	if c.lng >= 0 && r.Point != "" && !strings.Contains(r.Point, ",") {
		r.Point += "," + pick(c.lng)
	}
	return r
}

// dayFirst makes one stamp of the split form dd/mm/yyyy and HH:MM:SS. What does not
// look like it is left for the time parser to refuse.
func dayFirst(date, hour string) string {
	if len(date) == len("02/01/2006") && date[2] == '/' && date[5] == '/' {
		return date[6:10] + "-" + date[3:5] + "-" + date[0:2] + " " + hour
	}
	return date + " " + hour
}

// Fold reduces a column name to what survives spelling habits: lower-case ASCII
// letters and digits, accents removed, everything else dropped.
func Fold(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ReplaceAll(name, "œ", "oe")) {
		r = unicode.ToLower(r)
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
