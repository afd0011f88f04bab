package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// maxAlerts bounds the alerts that are kept: the newest.
const maxAlerts = 1000

// sameAlert reports whether two are one alert at two moments.
func sameAlert(a, b *traffic.Alert) bool {
	return a.Kind == b.Kind && a.Road == b.Road && a.Start.Equal(b.Start)
}

// applyAlerts takes over alerts that were raised, changed or ended.
func (p *Picture) applyAlerts(news []traffic.Alert) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	active := slices.Clone(p.alerts.list)
	for i := range news {
		n := &news[i]
		k := slices.IndexFunc(active, func(a traffic.Alert) bool { return sameAlert(&a, n) })
		switch {
		case k >= 0 && n.Updated.Before(active[k].Updated):
			continue // it was overtaken
		case k >= 0:
			active = slices.Delete(active, k, k+1)
		}
		if n.Active() && finite(n.Observed) && finite(n.Expected) {
			active = append(active, *n)
		}
	}
	slices.SortFunc(active, func(a, b traffic.Alert) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.Road, b.Road), cmp.Compare(a.Kind, b.Kind))
	})
	active = active[:min(len(active), maxAlerts)]
	text, err := p.encodeAlerts(active)
	if err != nil {
		return err
	}
	p.revision++
	p.alerts.set(active, text, p.revision)
	return nil
}

func (p *Picture) encodeAlerts(as []traffic.Alert) ([]byte, error) {
	shown := make([]payload.Alert, len(as))
	for i := range as {
		var err error
		if shown[i], err = payload.OfAlert(&as[i], p.label); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encode alerts: %w", err)
	}
	return text, nil
}
