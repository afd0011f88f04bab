package works

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

// A form is how one of the files is laid out.
type form struct {
	name    string
	columns []string
	work    func(get func(string) string) Work
	times   times
}

// times reads from when to when a work lasts; note takes what is odd about it.
type times func(get func(string) string, place *time.Location, note func(IssueKind, string)) (from, to time.Time, err error)

func (f *form) missing(cols map[string]int) (out []string) {
	for _, c := range f.columns {
		if _, ok := cols[c]; !ok {
			out = append(out, c)
		}
	}
	return out
}

func forms() []form {
	return []form{
		{
			name: "fermetures-voirie",
			columns: []string{
				"identifiant interne", "type de fermeture", "localisation", "date et heure de debut de barrage",
				"date et heure de fin de barrage", "periode et plage de fermeture", "sens de la fermeture", "geo shape",
			},
			work: closure, times: closureTimes(),
		},
		{
			name: "chantiers-perturbants",
			columns: []string{
				"identifiant", "objet", "description", "voie(s)", "precisions de localisation", "date de debut", "date de fin",
				"impact sur la circulation", "detail de l'impact sur la circulation", "geo shape",
			},
			work: disruption, times: days("date de debut", "date de fin"),
		},
		{
			name: "chantiers-a-paris",
			columns: []string{
				"reference chantier", "date debut du chantier", "date fin du chantier", "synthese - nature du chantier",
				"encombrement espace public", "geo shape",
			},
			work: site, times: days("date debut du chantier", "date fin du chantier"),
		},
	}
}

// plain folds what differs between exports: accents, capitals, underscores, spaces.
func plain(s string) string {
	fold := strings.NewReplacer("é", "e", "è", "e", "ê", "e", "à", "a", "ô", "o", "î", "i", "œ", "oe", "’", "'", "_", " ")
	return strings.Join(strings.Fields(fold.Replace(strings.ToLower(s))), " ")
}

// oneLine joins the lines of a text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func closure(get func(string) string) Work {
	return Work{
		ID: get("identifiant interne"), Kind: Closed, Category: get("type de fermeture"),
		Title: oneLine(get("localisation")), Detail: oneLine(get("periode et plage de fermeture")),
		Direction: get("sens de la fermeture"),
	}
}

func disruption(get func(string) string) Work {
	w := Work{
		ID: get("identifiant"), Category: get("objet"), Kind: Unsaid,
		Title:  oneLine(get("voie(s)") + " " + get("precisions de localisation")),
		Detail: oneLine(get("description") + " " + get("detail de l'impact sur la circulation")),
	}
	switch get("impact sur la circulation") {
	case "BARRAGE_TOTAL":
		w.Kind = Closed
	case "IMPASSE":
		w.Kind = DeadEnd
	case "SENS_UNIQUE":
		w.Kind = OneWay
	case "RESTREINTE":
		w.Kind = Narrowed
	}
	return w
}

func site(get func(string) string) Work {
	w := Work{ID: get("reference chantier"), Category: get("synthese - nature du chantier"), Kind: Unsaid, Detail: get("encombrement espace public")}
	switch {
	case strings.Contains(w.Detail, "EMPRISE_CHAUSSEE"):
		w.Kind = Narrowed
	case w.Detail != "":
		w.Kind = Beside
	}
	return w
}

// sentence is "Du lundi 14/10/2024 22:00 au mardi 15/10/2024 06:00".
const sentence = `(?i)^du \p{L}+ (\d{2}/\d{2}/\d{4} \d{2}:\d{2}) au \p{L}+ (\d{2}/\d{2}/\d{4} \d{2}:\d{2})$`

// closureTimes takes the times of the sentence. The instants beside it lie one hour
// later in winter and three in summer: the publisher's export took a wall clock for
// UTC and moved it twice. They are taken only where there is no sentence.
func closureTimes() times {
	period := regexp.MustCompile(sentence)
	return func(get func(string) string, place *time.Location, note func(IssueKind, string)) (from, to time.Time, err error) {
		begin, err1 := time.Parse(time.RFC3339, get("date et heure de debut de barrage"))
		end, err2 := time.Parse(time.RFC3339, get("date et heure de fin de barrage"))
		text := oneLine(get("periode et plage de fermeture"))
		m := period.FindStringSubmatch(text)
		if m != nil {
			const layout = "02/01/2006 15:04"
			from, err = time.ParseInLocation(layout, m[1], place)
			if err == nil {
				to, err = time.ParseInLocation(layout, m[2], place)
			}
		}
		switch {
		case m == nil || err != nil:
			if err := errors.Join(err1, err2); err != nil {
				return from, to, fmt.Errorf("neither a sentence like Du lundi 14/10/2024 22:00 au mardi 15/10/2024 06:00, there is %q, nor instants: %w", text, err)
			}
			note(NoSentence, text)
			return begin.UTC(), end.UTC(), nil
		case err1 == nil && !begin.Equal(from) || err2 == nil && !end.Equal(to):
			note(WrongInstant, fmt.Sprintf("begins %s late, ends %s late", begin.Sub(from), end.Sub(to)))
		}
		return from.UTC(), to.UTC(), nil
	}
}

// days reads whole days, the last one included.
func days(first, last string) times {
	return func(get func(string) string, place *time.Location, _ func(IssueKind, string)) (from, to time.Time, err error) {
		from, err = time.ParseInLocation(time.DateOnly, get(first), place)
		if err != nil {
			return from, to, fmt.Errorf("%s: %q: want a day like 2024-10-31", first, get(first))
		}
		to, err = time.ParseInLocation(time.DateOnly, get(last), place)
		if err != nil {
			return from, to, fmt.Errorf("%s: %q: want a day like 2024-10-31", last, get(last))
		}
		return from.UTC(), to.AddDate(0, 0, 1).UTC(), nil
	}
}

// shape reads a line or polygon; nil for an empty text.
func shape(text string) (orb.Geometry, error) {
	if text == "" {
		return nil, nil
	}
	g, err := geojson.UnmarshalGeometry([]byte(text))
	if err != nil {
		return nil, err
	}
	switch g := g.Geometry().(type) {
	case orb.LineString, orb.MultiLineString, orb.Polygon, orb.MultiPolygon:
		b := g.Bound()
		if b.IsEmpty() || !(math.Abs(b.Min[0]) <= 180 && math.Abs(b.Max[0]) <= 180 && math.Abs(b.Min[1]) <= 90 && math.Abs(b.Max[1]) <= 90) {
			return nil, errors.New("empty, or not on Earth")
		}
		return g, nil
	default:
		return nil, errors.New("want a LineString, MultiLineString, Polygon or MultiPolygon")
	}
}
