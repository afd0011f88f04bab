package replay

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const history = `iu_ac,libelle,iu_nd_amont,libelle_nd_amont,iu_nd_aval,libelle_nd_aval,t_1h,q,k,etat_trafic,etat_barre
4264,AV_CE,2294,a,2293,b,2010-04-24 02:00:00,1068.0,20.0,2,1
4264,AV_CE,2294,a,2293,b,2010-04-24 01:00:00,1358.0,15.0,2,3
376,St_Antoine,220,a,219,b,2010-04-24 01:00:00,,,0,1
376,St_Antoine,220,a,219,b,2010-04-24 02:00:00,12.5,,0,2
`

const historyReadings = `2010-04-23T22:00:00 PARIS-4264 - 1358 0.15
2010-04-23T23:00:00 PARIS-4264 - 1068 0.2
2010-04-23T23:00:00 PARIS-376 - 12.5 -`

func TestCompressionIsSeen(t *testing.T) {
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{g, z} {
		if _, err := w.Write([]byte(history)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"plain.csv": history, "misnamed.csv": gz.String(), "x.zst": zst.String(), "bom.csv": "\xef\xbb\xbf" + history,
		"crlf.csv": strings.ReplaceAll(history, "\n", "\r\n"), "no-end-of-line.csv": strings.TrimSpace(history),
		"semicolons.csv": strings.ReplaceAll(history, ",", ";"), "tabs.tsv": strings.ReplaceAll(history, ",", "\t"),
	} {
		p := play(t, config(write(t, name, text)))
		same(t, briefs(p.readings), historyReadings)
		if p.stats != (Stats{Readings: 3, NoMeasurement: 1}) {
			t.Errorf("%s: %+v", name, p.stats)
		}
	}
}

func TestParisZoneAndUnitsAreTheFeedsOwn(t *testing.T) {
	cfg := config(write(t, "x.csv", history))
	cfg.TZ, cfg.Units = "America/Los_Angeles", "mph,veh/15min,fraction"
	same(t, briefs(play(t, cfg).readings), historyReadings)
}

func TestWideTables(t *testing.T) {
	text := "time,a,b,c\n2022-03-27 01:55,10,,30\n2022-03-27 02:00,1,2,3\n2022-03-27 03:00,11,x,31\n"
	cfg := config(write(t, "x.csv", text))
	p := play(t, cfg)
	same(t, briefs(p.readings), `2022-03-27T00:55:00 a 10 - -
		2022-03-27T00:55:00 c 30 - -
		2022-03-27T01:00:00 a 11 - -
		2022-03-27T01:00:00 c 31 - -`)
	same(t, rejections(p.rejected), `x.csv:3 bad_time: time: "2022-03-27 02:00" is not allowed: want a time that exists: the clocks of Europe/Paris jump over 2022-03-27 02:00:00
		x.csv:4 unparsable: column b: "x" is not allowed: want a number or nothing`)
	if p.stats != (Stats{Readings: 4, NoMeasurement: 1, Rejected: 2}) {
		t.Errorf("%+v", p.stats)
	}
	for _, tc := range []struct{ units, want string }{
		{"mph", "2022-03-27T00:55:00 a 16.09344 - -"},
		{"veh/15min", "2022-03-27T00:55:00 a - 40 -"},
		{"veh/5min,mph", "2022-03-27T00:55:00 a - 120 -"},
		{"occupancy %", "2022-03-27T00:55:00 a - - 0.1"},
	} {
		cfg.Units = tc.units
		same(t, brief(&play(t, cfg).readings[0]), tc.want)
	}
}

func TestWideTableOfADataFrame(t *testing.T) {
	p := play(t, config(write(t, "x.csv", ",773869,767541\n2012-03-01 00:00:00,64.375,67.625\n2012-03-01 00:05:00,62.5,\n")))
	same(t, briefs(p.readings), `2012-02-29T23:00:00 773869 64.375 - -
		2012-02-29T23:00:00 767541 67.625 - -
		2012-02-29T23:05:00 773869 62.5 - -`)
}

// A row that is refused still takes its step, so those after it keep their time.
func TestWideTableWithoutTimes(t *testing.T) {
	cfg := config(write(t, "x.csv", "a,b\n1,2\n3,\"4\n5,6,7\n8,9\n"))
	cfg.Start, cfg.Step = "2012-03-01", 5*time.Minute
	p := play(t, cfg)
	same(t, briefs(p.readings), `2012-02-29T23:00:00 a 1 - -
		2012-02-29T23:00:00 b 2 - -
		2012-02-29T23:15:00 a 8 - -
		2012-02-29T23:15:00 b 9 - -`)
	same(t, rejections(p.rejected), `x.csv:3 unparsable: a quote is opened and not closed on this line
		x.csv:4 unparsable: the row has 3 fields, the header 2`)
	cfg.Stamp = "end"
	same(t, brief(&play(t, cfg).readings[0]), "2012-02-29T22:55:00 a 1 - -")
}

func TestUnsortedWideTableIsSorted(t *testing.T) {
	p := play(t, config(write(t, "x.csv", "time,a,b\n2022-01-01 02:00,3,4\n2022-01-01 01:00,1,2\n")))
	same(t, briefs(p.readings), `2022-01-01T00:00:00 a 1 - -
		2022-01-01T00:00:00 b 2 - -
		2022-01-01T01:00:00 a 3 - -
		2022-01-01T01:00:00 b 4 - -`)
}

func TestLongTable(t *testing.T) {
	text := "when;det;road name;v;q;occ %;y;x;street\n" +
		"2022-01-01T10:00:00Z;d1;r1;36,5;15;20;48.8;2.3;Rue A\n" +
		"2022-01-01T09:00:00Z;d2;;;15;;;;\n"
	cfg := config(write(t, "x.csv", text))
	cfg.Columns = "ts=when,sensor=det,road=road name,speed=v,flow=Q,occupancy=occ %,lat=y,lng=x,label=street"
	cfg.Units = "veh/15min, %"
	p := play(t, cfg)
	same(t, briefs(p.readings), `2022-01-01T09:00:00 d2 - 60 -
		2022-01-01T10:00:00 d1 36.5 60 0.2`)
	if r := p.readings[1]; r.Road != "r1" || r.Place == nil || *r.Place != (traffic.Place{Label: "Rue A", Lat: traffic.Some(48.8), Lng: traffic.Some(2.3)}) {
		t.Errorf("%+v %+v", r, r.Place)
	}
	if r := p.readings[0]; r.Road != "d2" || r.Place != nil {
		t.Errorf("%+v", r)
	}
	if len(p.roads) != 1 || p.roads[0].ID != "r1" || p.roads[0].Label != "Rue A" {
		t.Errorf("%+v", p.roads)
	}
	cfg.Stamp, cfg.Step = "end", 15*time.Minute
	same(t, brief(&play(t, cfg).readings[0]), "2022-01-01T08:45:00 d2 - 60 -")
}

// Columns that the user named win over what the table looks like, and files which
// are recognised and lack them are read as what they are.
func TestColumnsAndOtherFilesTogether(t *testing.T) {
	cfg := config(write(t, "own.csv", "iu_ac,t_1h,q\n7,2010-04-23 23:00:00,5\n"), write(t, "paris.csv", history))
	cfg.Columns, cfg.TZ = "ts=t_1h,sensor=iu_ac,flow=q", "UTC"
	p := play(t, cfg)
	// Both files have the columns, so both are read with them, as begin stamps in UTC.
	same(t, briefs(p.readings), `2010-04-23T23:00:00 7 - 5 -
		2010-04-24T01:00:00 4264 - 1358 -
		2010-04-24T02:00:00 4264 - 1068 -
		2010-04-24T02:00:00 376 - 12.5 -`)
	cfg = config(write(t, "own.csv", "when,q\n2010-04-23 22:00:00Z,5\n"), write(t, "paris.csv", history))
	cfg.Columns = "ts=when,flow=q"
	p = play(t, cfg)
	same(t, briefs(p.readings), "2010-04-23T22:00:00 own - 5 -\n"+historyReadings)
}

func TestNDJSON(t *testing.T) {
	r := traffic.Reading{
		At: time.Date(2026, 3, 2, 8, 5, 0, 250000, time.UTC), Sensor: "PARIS-4521", Road: "PARIS-4521",
		Speed: traffic.Some(31.5), Flow: traffic.Some(840), Occupancy: traffic.Some(0.17),
		Place: &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)},
	}
	one, err := wire.EncodeSensor([]traffic.Reading{r})
	if err != nil {
		t.Fatal(err)
	}
	text := string(one) + "\n\n" +
		`{"ts":"2026-03-02T08:04:00Z","sensor_id":"x","flow_rate":1}` + "\n" +
		`{"sensor_id":"x","flow_rate":1}` + "\n" +
		`{"ts":"2026-03-02T08:04:00Z","sensor_id":"x","flow_rate":-1}` + "\n" +
		"nonsense\n" +
		`[{"ts":"2026-03-02T08:06:00Z","sensor_id":"x","flow_rate":2},{"ts":"2026-03-02T08:03:00Z","sensor_id":"x","flow_rate":3}]`
	p := play(t, config(write(t, "x.ndjson", text)))
	same(t, briefs(p.readings), `2026-03-02T08:03:00 x - 3 -
		2026-03-02T08:04:00 x - 1 -
		2026-03-02T08:05:00 PARIS-4521 31.5 840 0.17
		2026-03-02T08:06:00 x - 2 -`)
	if got := p.readings[2]; !got.At.Equal(r.At) || got.Place == nil || *got.Place != *r.Place {
		t.Errorf("%+v is not what was written", got)
	}
	if len(p.rejected) != 3 || p.stats.Rejected != 3 {
		t.Fatalf("%s", rejections(p.rejected))
	}
	for i, want := range []string{"x.ndjson:4 bad_time", "x.ndjson:5 out_of_range", "x.ndjson:6 unparsable"} {
		if !strings.HasPrefix(rejections(p.rejected[i:i+1]), want) {
			t.Errorf("got %swant %s", rejections(p.rejected[i:i+1]), want)
		}
	}
}

func TestParisJSONForms(t *testing.T) {
	records := []string{
		`{"iu_ac":"1","t_1h":"2026-07-30T22:00:00+00:00","q":10.5,"k":null,"libelle":"A"}`,
		`{"iu_ac":2,"t_1h":"2026-07-30T21:00:00+00:00","q":null,"k":2.5}`,
		`{"iu_ac":"3","t_1h":"2026-07-30T21:00:00+00:00","q":null,"k":null}`,
		`{"iu_ac":"4","t_1h":"never","q":1}`,
	}
	for name, text := range map[string]string{
		"records.json": `{"total_count":4,"results":[` + strings.Join(records, ",") + `]}`,
		"array.json":   "[\n" + strings.Join(records, ",\n") + "\n]\n",
		"lines.jsonl":  strings.Join(records, "\n") + "\n",
	} {
		p := play(t, config(write(t, name, text)))
		same(t, briefs(p.readings), `2026-07-30T20:00:00 PARIS-2 - - 0.025
			2026-07-30T21:00:00 PARIS-1 - 10.5 -`)
		if p.stats != (Stats{Readings: 2, NoMeasurement: 1, Rejected: 1}) || filepath.Base(p.rejected[0].Origin) != name+":4" {
			t.Errorf("%s: %+v %s", name, p.stats, rejections(p.rejected))
		}
	}
}

func TestPlacesWithoutAHeader(t *testing.T) {
	cfg := config(write(t, "x.csv", "time,400001\n2022-01-01 02:00,3\n"))
	cfg.Places = write(t, "places.csv", "400001,37.364085,-121.901149\r\n400017,37.253303,-121.945440\r\n")
	if pl := play(t, cfg).readings[0].Place; pl == nil || pl.Lat != traffic.Some(37.364085) {
		t.Errorf("%+v", pl)
	}
	for text, want := range map[string]string{
		"a,b\n1,2\n": "wanted: sensor_id", "id,lat,lon\nx,91,0\n": "places.csv:2", "": "empty",
	} {
		cfg.Places = write(t, "places.csv", text)
		if _, err := Open(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestFromDropsWhatIsOlder(t *testing.T) {
	cfg := config(write(t, "x.csv", history))
	cfg.From = time.Date(2010, 4, 23, 23, 0, 0, 0, time.UTC)
	p := play(t, cfg)
	same(t, briefs(p.readings), "2010-04-23T23:00:00 PARIS-4264 - 1068 0.2\n2010-04-23T23:00:00 PARIS-376 - 12.5 -")
}

func TestSCATSWithBadRows(t *testing.T) {
	header := "SCATS Number,Location,NB_LATITUDE,NB_LONGITUDE,HF VicRoads Internal,Date"
	for i := range scatsSlots {
		header += ",V" + string(rune('0'+i/10)) + string(rune('0'+i%10))
	}
	// On 2006-10-29 the clocks of Melbourne went from 2:00 to 3:00.
	slots := strings.Repeat(",4", 8) + ",1,," + ",x,1" + strings.Repeat(",4", 83)
	text := header + "\n4266,AUBURN_RD,0,0,7,29/10/06" + slots + "\n4266,AUBURN_RD,0,0,7,31/31/06" + strings.Repeat(",1", 96) + "\n"
	cfg := config(write(t, "scats.csv", text))
	cfg.TZ = "Australia/Melbourne"
	p := play(t, cfg)
	if p.stats != (Stats{Readings: 92, NoMeasurement: 2, Rejected: 3}) {
		t.Errorf("%+v\n%s", p.stats, rejections(p.rejected))
	}
	if p.readings[0].Flow != traffic.Some(16) || p.readings[0].Place.Lat.Known() {
		t.Errorf("%+v %+v", p.readings[0], p.readings[0].Place)
	}
	if !strings.Contains(rejections(p.rejected), "the clocks of Australia/Melbourne jump over 2006-10-29 02:00:00") {
		t.Errorf("%s", rejections(p.rejected))
	}
	short := write(t, "short.csv", "SCATS Number,Date,V00,V01\n1,2/3/06,4,5\n")
	if _, err := Open(config(short), Deps{}); err == nil || !strings.Contains(err.Error(), "V00 to V95") {
		t.Errorf("got %v", err)
	}
}

func TestReadingTheSameSourceTwice(t *testing.T) {
	s, err := Open(config(write(t, "x.csv", history)), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n := int64(0)
		if err := s.Run(t.Context(), count(&n)); err != nil || n != 3 {
			t.Errorf("%d readings, %v", n, err)
		}
	}
	if err := os.Remove(s.files[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), count(new(int64))); err == nil {
		t.Error("a file that is gone was played")
	}
}
