package rest

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// allRoads is the group that stands for all groups together.
const allRoads = "all"

// skill answers GET /api/predictions/skill: how well each model does, over all shards of
// the predictor, for each group of roads and for all.
func (s *Server) skill(c *gin.Context) error {
	q := newQuery(c.Request)
	horizon, model, group := q.integer("horizon", 1, live.MaxHorizonMin, 0), q.name("model"), q.name("group")
	if err := q.done(); err != nil {
		return err
	}
	found, err := s.parts.Store.Skills(c.Request.Context())
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(together(found), func(s traffic.Skill) bool {
		return horizon != 0 && s.HorizonMin != horizon || model != "" && s.Model != model || group != "" && s.Group != group
	})
	return write(c, http.StatusOK, show(found, "", payload.OfSkill))
}

// together adds up shards, and groups to all roads, in the order of horizon, group (all
// roads first) and error.
func together(skills []traffic.Skill) []traffic.Skill {
	type name struct {
		model, group string
		horizon      int
	}
	sums := map[name]*traffic.Skill{}
	for i := range skills {
		s := &skills[i]
		for _, group := range []string{s.Group, allRoads} {
			n := name{s.Model, group, s.HorizonMin}
			if sums[n] == nil {
				sums[n] = &traffic.Skill{Model: s.Model, HorizonMin: s.HorizonMin, Group: group}
			}
			sums[n].Add(s)
		}
	}
	out := make([]traffic.Skill, 0, len(sums))
	for n, s := range sums {
		if n.group == allRoads {
			s.Served, s.Demoted = false, false // that is decided by group
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b traffic.Skill) int {
		first := func(s traffic.Skill) string {
			if s.Group == allRoads {
				return ""
			}
			return s.Group
		}
		return cmp.Or(cmp.Compare(a.HorizonMin, b.HorizonMin), cmp.Compare(first(a), first(b)),
			cmp.Compare(a.MAE().Or(0), b.MAE().Or(0)), cmp.Compare(a.Model, b.Model))
	})
	return out
}

// alerts answers GET /api/alerts.
func (s *Server) alerts(c *gin.Context) error {
	q := newQuery(c.Request)
	sel := store.AlertQuery{
		State: store.AlertState(q.oneOf("state", "", string(store.AlertActive), string(store.AlertEnded))),
		To:    q.moment("before"), Page: q.page(),
	}
	if err := q.done(); err != nil {
		return err
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return err
	}
	as, next, err := s.parts.Store.Alerts(c.Request.Context(), sel)
	if err != nil {
		return ofCursor(err, sel.Page)
	}
	data := make([]payload.Alert, len(as))
	for i := range as {
		if data[i], err = payload.OfAlert(&as[i], roads.Label); err != nil {
			return err
		}
	}
	return write(c, http.StatusOK, list[payload.Alert]{Data: data, NextCursor: next, HasMore: next != ""})
}
