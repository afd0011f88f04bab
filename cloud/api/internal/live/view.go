package live

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A frame is what one tick announced. Clients that follow everything share the bytes
// of its messages.
type frame struct {
	prev, seq   uint64
	roads       []*roadRow
	predictions []*predictionRow

	mu     sync.Mutex
	shared map[sharedKey]message
}

type sharedKey struct {
	kind     string
	seq      uint64
	selector string
}

// maxShared bounds the different messages that one frame keeps.
const maxShared = 32

// A message is text for one client, or prepared for many.
type message struct {
	kind     string
	seq      uint64
	text     []byte
	prepared *websocket.PreparedMessage
}

// A view is one client's look at the picture: its subscription, the rows that it
// covers, and the seq that it has reached. Only the client's writer uses it.
type view struct {
	picture *Picture
	network func() *network.Roads
	sub     Subscription
	// reached is the seq of the last message; fresh says that there is none to
	// build on.
	reached uint64
	fresh   bool

	roadsOf    *network.Roads // the roads that ids was made from
	ids        []traffic.RoadID
	generation uint64 // of the picture that the rows were taken from
	selected   bool
	rows       []*roadRow
	forecasts  []*predictionRow
}

// subscribe replaces the subscription. The next messages begin with a snapshot,
// unless the client says where it stands and the picture still knows what came after.
func (v *view) subscribe(s Subscription) {
	v.sub, v.selected, v.roadsOf, v.ids = s, false, nil, nil
	v.fresh = true
	if s.Seq != nil {
		v.reached, v.fresh = *s.Seq, false
	}
}

// next returns the messages that bring the client up to date, none when it is.
func (v *view) next() ([]message, error) {
	p := v.picture
	v.locate()
	p.mu.RLock()
	defer p.mu.RUnlock()
	if !p.synced {
		return nil, nil
	}
	v.choose()
	var msgs []message
	var err error
	switch {
	case v.fresh || v.reached < p.floor || v.reached > p.seq:
		msgs, err = v.snapshot()
	case v.reached == p.seq:
		return nil, nil
	case v.reached == p.head.prev && p.head.seq == p.seq:
		msgs, err = v.changes(v.of(p.head))
	default:
		msgs, err = v.changes(v.all())
	}
	if err != nil {
		return nil, err
	}
	v.reached, v.fresh = p.seq, false
	return msgs, nil
}

// standing is the seq from which the client could resume. Before the first message
// there is none, and 0 is no seq that a picture gives.
func (v *view) standing() uint64 {
	if v.fresh {
		return 0
	}
	return v.reached
}

// locate finds the roads inside the subscription's box, again when the network changed.
func (v *view) locate() {
	if v.sub.everywhere() {
		return
	}
	roads := v.network()
	if v.ids != nil && (v.sub.BBox == nil || v.roadsOf == roads) {
		return
	}
	v.roadsOf, v.selected = roads, false
	v.ids = append(make([]traffic.RoadID, 0, len(v.sub.Roads)), v.sub.Roads...)
	if v.sub.BBox != nil && roads != nil {
		for i := range roads.List {
			if r := &roads.List[i]; r.Inside(v.sub.BBox) {
				v.ids = append(v.ids, r.ID)
			}
		}
	}
	slices.Sort(v.ids)
	v.ids = slices.Compact(v.ids)
}

// choose finds the rows of the roads, again when rows came or went. The picture is
// locked.
func (v *view) choose() {
	p := v.picture
	if v.sub.everywhere() || v.selected && v.generation == p.generation {
		return
	}
	v.generation, v.selected = p.generation, true
	v.rows, v.forecasts = v.rows[:0], v.forecasts[:0]
	for _, id := range v.ids {
		if r := p.roads.rows[id]; r != nil {
			v.rows = append(v.rows, r)
		}
		for _, r := range p.predictions.order[p.predictions.after(PredictionKey{Road: id}):] {
			if r.key.Road != id {
				break
			}
			v.forecasts = append(v.forecasts, r)
		}
	}
}

// candidates are rows that may have changed since a client was last told.
type candidates struct {
	roads       []*roadRow
	predictions []*predictionRow
	// frame shares the messages made from them; nil when they are the client's own.
	frame *frame
}

// of is what the last tick announced.
func (v *view) of(f *frame) candidates {
	if !v.sub.everywhere() {
		return v.all()
	}
	return candidates{f.roads, f.predictions, f}
}

// all is every row of the subscription.
func (v *view) all() candidates {
	if v.sub.everywhere() {
		return candidates{roads: v.picture.roads.order, predictions: v.picture.predictions.order}
	}
	return candidates{roads: v.rows, predictions: v.forecasts}
}

// changes makes a message for each channel on which something happened after the seq
// that the client has. All but the last carry that seq, so that a client which gets
// only some of them and resumes gets the others.
func (v *view) changes(c candidates) ([]message, error) {
	var parts []part
	if v.sub.wants(ChannelTraffic) {
		rows := c.roads // all of a frame is newer than the frame before
		if c.frame == nil {
			rows = rowsSince(rows, v.reached, func(*roadRow) bool { return true })
		}
		parts = append(parts, part{kind: string(ChannelTraffic), rows: rows})
	}
	if v.sub.wants(ChannelPredictions) {
		parts = append(parts, part{kind: string(ChannelPredictions), selector: v.selector(), forecasts: rowsSince(c.predictions, v.reached, v.horizon())})
	}
	if v.sub.wants(ChannelReroutes) && v.picture.advice.seq > v.reached {
		parts = append(parts, part{kind: string(ChannelReroutes), advice: true})
	}
	if v.sub.wants(ChannelAlerts) && v.picture.alerts.seq > v.reached {
		parts = append(parts, part{kind: string(ChannelAlerts), alerts: true})
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return len(p.rows)+len(p.forecasts) == 0 && !p.advice && !p.alerts })
	msgs := make([]message, 0, len(parts))
	for i, p := range parts {
		p.seq = v.reached
		if i == len(parts)-1 {
			p.seq = v.picture.seq
		}
		m, err := v.message(c.frame, p)
		if err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// horizon keeps the forecasts that the subscription wants.
func (v *view) horizon() func(*predictionRow) bool {
	wanted := v.sub.horizons()
	return func(r *predictionRow) bool { return slices.Contains(wanted, r.key.HorizonMin) }
}

// selector tells apart the shared messages of different horizons.
func (v *view) selector() string { return fmt.Sprint(v.sub.horizons()) }

func rowsSince[K comparable, V any](rows []*row[K, V], seq uint64, keep func(*row[K, V]) bool) []*row[K, V] {
	var out []*row[K, V]
	for _, r := range rows {
		if r.seq > seq && keep(r) {
			out = append(out, r)
		}
	}
	return out
}

// A part is the content of one message.
type part struct {
	kind, selector string
	seq            uint64
	rows           []*roadRow
	forecasts      []*predictionRow
	advice, alerts bool
}

// message encodes a part, or finds it ready-made in the frame.
func (v *view) message(f *frame, p part) (message, error) {
	if f == nil {
		text, err := v.picture.encode(p)
		return message{kind: p.kind, seq: p.seq, text: text}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := sharedKey{p.kind, p.seq, p.selector}
	if m, ok := f.shared[key]; ok {
		return m, nil
	}
	text, err := v.picture.encode(p)
	if err != nil {
		return message{}, err
	}
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
	if err != nil {
		return message{}, fmt.Errorf("prepare message: %w", err)
	}
	m := message{kind: p.kind, seq: p.seq, text: text, prepared: prepared}
	if f.shared == nil {
		f.shared = map[sharedKey]message{}
	}
	if len(f.shared) < maxShared {
		f.shared[key] = m
	}
	return m, nil
}

const kindSnapshot = "snapshot"

// snapshot is one message with everything that the subscription covers. Snapshots of
// everything are shared until the next tick.
func (v *view) snapshot() ([]message, error) {
	p, c := v.picture, v.all()
	content := part{kind: kindSnapshot, seq: p.seq, selector: fmt.Sprint(v.sub.Channels, v.sub.horizons())}
	if v.sub.wants(ChannelTraffic) {
		content.rows = c.roads
	}
	if v.sub.wants(ChannelPredictions) {
		keep := v.horizon()
		for _, r := range c.predictions {
			if keep(r) {
				content.forecasts = append(content.forecasts, r)
			}
		}
	}
	content.advice, content.alerts = v.sub.wants(ChannelReroutes), v.sub.wants(ChannelAlerts)
	var f *frame
	if v.sub.everywhere() && p.head.seq == p.seq {
		f = p.head
	}
	m, err := v.message(f, content)
	if err != nil {
		return nil, err
	}
	return []message{m}, nil
}

// encode writes a message. The picture is locked.
func (p *Picture) encode(c part) ([]byte, error) {
	b := make([]byte, 0, 256+320*(len(c.rows)+len(c.forecasts)))
	b = append(b, `{"type":"`...)
	b = append(b, c.kind...)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, c.seq, 10)
	b = append(b, `,"data":`...)
	var err error
	switch c.kind {
	case kindSnapshot:
		b, err = p.appendSnapshot(b, c)
	case string(ChannelTraffic):
		b, err = appendRows(b, &p.roads, c.rows)
	case string(ChannelPredictions):
		b, err = appendRows(b, &p.predictions, c.forecasts)
	case string(ChannelAlerts):
		b = append(b, p.alerts.text...)
	default:
		b = append(b, p.advice.text...)
	}
	return append(b, '}'), err
}

func (p *Picture) appendSnapshot(b []byte, c part) ([]byte, error) {
	b = append(b, `{"watermark":`...)
	b = appendTime(b, p.watermark)
	b = append(b, `,"roads":`...)
	b, err := appendRows(b, &p.roads, c.rows)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"predictions":`...)
	if b, err = appendRows(b, &p.predictions, c.forecasts); err != nil {
		return nil, err
	}
	b = append(b, `,"reroutes":`...)
	b = appendIf(b, c.advice, p.advice.text)
	b = append(b, `,"alerts":`...)
	b = appendIf(b, c.alerts, p.alerts.text)
	return append(b, '}'), nil
}

// appendIf appends a list, or an empty one where it is not wanted.
func appendIf(b []byte, wanted bool, list []byte) []byte {
	if !wanted {
		list = []byte("[]")
	}
	return append(b, list...)
}

func appendRows[K comparable, V any](b []byte, t *table[K, V], rows []*row[K, V]) ([]byte, error) {
	b = append(b, '[')
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		text, err := t.json(r)
		if err != nil {
			return nil, err
		}
		b = append(b, text...)
	}
	return append(b, ']'), nil
}
