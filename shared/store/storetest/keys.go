package storetest

import (
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
)

func testKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	ada := must(s.CreateUser(ctx, store.User{Email: "a@example.org", Role: store.RoleAdmin}))(t)
	equal(t, "none", must(s.Keys(ctx))(t), []store.Key(nil))
	end := time.Date(2040, 1, 1, 0, 0, 0, 1000, time.UTC)
	one := must(s.CreateKey(ctx, store.Key{Hash: "h1", Name: "signs é\x00", Scopes: []store.Scope{store.ScopeRead, store.ScopeExport}, UserID: ada.ID, ExpiresAt: end}))(t)
	two := must(s.CreateKey(ctx, store.Key{Hash: "h2", Name: "lab", Scopes: []store.Scope{store.ScopeWrite}, UserID: ada.ID}))(t)
	if one.ID == 0 || one.ID == two.ID || one.Name != "signs é\ufffd" || one.CreatedAt.IsZero() || one.ExpiresAt != end {
		t.Errorf("created %+v and %+v", one, two)
	}
	_, err := s.CreateKey(ctx, store.Key{Hash: "h1", UserID: ada.ID})
	is(t, "hash taken", err, store.ErrConflict)
	equal(t, "all", must(s.Keys(ctx))(t), []store.Key{two, one})
	check(t, s.UseKey(ctx, one.ID, end))
	check(t, s.UseKey(ctx, 999, end))
	one.UsedAt = end
	equal(t, "used", must(s.KeyByHash(ctx, "h1"))(t), one)
	check(t, s.DeleteKey(ctx, one.ID))
	is(t, "deleted twice", s.DeleteKey(ctx, one.ID), store.ErrNotFound)
	_, err = s.KeyByHash(ctx, "h1")
	is(t, "deleted", err, store.ErrNotFound)
	equal(t, "left", must(s.Keys(ctx))(t), []store.Key{two})
}

func testUserCare(t *testing.T, s store.Store) {
	ctx := t.Context()
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	ada := must(s.CreateUser(ctx, store.User{Email: "a@example.org", Role: store.RoleAdmin}))(t)
	bob := must(s.CreateUser(ctx, store.User{Email: "b@example.org", Role: store.RoleViewer}))(t)
	viewer, admin, yes, no := store.RoleViewer, store.RoleAdmin, true, false
	change := func(id int64, c store.UserChange) (store.User, error) { return s.ChangeUser(ctx, id, c, now) }

	_, err := change(ada.ID, store.UserChange{Role: &viewer})
	is(t, "the only admin becomes a viewer", err, store.ErrLastAdmin)
	_, err = change(ada.ID, store.UserChange{Disabled: &yes})
	is(t, "the only admin is shut out", err, store.ErrLastAdmin)
	is(t, "the only admin is deleted", s.DeleteUser(ctx, ada.ID), store.ErrLastAdmin)
	_, err = change(999, store.UserChange{Role: &viewer})
	is(t, "nobody", err, store.ErrNotFound)
	is(t, "nobody", s.DeleteUser(ctx, 999), store.ErrNotFound)
	equal(t, "nothing changed", must(s.UserByID(ctx, ada.ID))(t), ada)

	check(t, s.PutRefreshToken(ctx, store.RefreshToken{Hash: "h", Family: "f", UserID: bob.ID, ExpiresAt: now.Add(time.Hour)}))
	must(s.CreateKey(ctx, store.Key{Hash: "k", UserID: bob.ID}))(t)
	bob.Role, bob.DisabledAt, bob.UpdatedAt = admin, now, now
	equal(t, "changed", must(change(bob.ID, store.UserChange{Role: &admin, Disabled: &yes}))(t), bob)
	_, err = s.RotateRefreshToken(ctx, "h", store.RefreshToken{Hash: "n", ExpiresAt: now.Add(time.Hour)}, now)
	is(t, "token of one who was shut out", err, store.ErrNotFound)
	is(t, "an admin who is shut out does not count", s.DeleteUser(ctx, ada.ID), store.ErrLastAdmin)
	bob.DisabledAt = time.Time{}
	equal(t, "let in again", must(change(bob.ID, store.UserChange{Disabled: &no}))(t), bob)
	equal(t, "all", all(t, 1, func(p store.Page) ([]store.User, store.Cursor, error) { return s.Users(ctx, p) }), []store.User{ada, bob})
	check(t, s.DeleteUser(ctx, ada.ID))
	_, err = s.UserByID(ctx, ada.ID)
	is(t, "deleted", err, store.ErrNotFound)
	_, _, err = s.Users(ctx, store.Page{After: "x"})
	is(t, "a cursor of nobody", err, store.ErrCursor)
}
