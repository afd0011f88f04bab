package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
)

const (
	// LookEvery is how often the accounts are to be looked at: how long somebody who was
	// shut out may go on, at most.
	LookEvery = 2 * time.Second
	// useEvery is how exactly the last use of a key is kept.
	useEvery = time.Minute
	lookPage = 1000
	// keyPrefix tells keys from tokens.
	keyPrefix = "cfk_"
	// endless is when a key without an end ends.
	endless = 100 * 365 * 24 * time.Hour
)

// standing is who may come in, as it was a moment ago.
type standing struct {
	users map[int64]store.Role
	keys  map[string]store.Key
}

// uses are the last uses of keys; those of dirty ones were not stored yet.
type uses struct {
	mu    sync.Mutex
	at    map[int64]time.Time
	dirty map[int64]bool
}

func (u *uses) note(id int64, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.Sub(u.at[id]) < useEvery {
		return
	}
	if u.at == nil {
		u.at, u.dirty = map[int64]time.Time{}, map[int64]bool{}
	}
	u.at[id], u.dirty[id] = at, true
}

// take returns what is to be stored.
func (u *uses) take() map[int64]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[int64]time.Time, len(u.dirty))
	for id := range u.dirty {
		out[id] = u.at[id]
	}
	clear(u.dirty)
	return out
}

// Look learns who was shut out, demoted or let in, and stores when keys were used. Call it
// every LookEvery. After an error what was known before holds.
func (k *Keeper) Look(ctx context.Context) error {
	now := &standing{users: map[int64]store.Role{}, keys: map[string]store.Key{}}
	p := store.Page{Limit: lookPage}
	for {
		us, next, err := k.accounts.Users(ctx, p)
		if err != nil {
			return fmt.Errorf("look at users: %w", err)
		}
		for i := range us {
			if us[i].DisabledAt.IsZero() {
				now.users[us[i].ID] = us[i].Role
			}
		}
		if p.After = next; next == "" {
			break
		}
	}
	keys, err := k.accounts.Keys(ctx)
	if err != nil {
		return fmt.Errorf("look at keys: %w", err)
	}
	for _, key := range keys {
		now.keys[key.Hash] = key
	}
	k.standing.Store(now)
	for id, at := range k.uses.take() {
		if err := k.accounts.UseKey(ctx, id, at); err != nil {
			return fmt.Errorf("note use of key: %w", err)
		}
	}
	return nil
}

// Admit tells who offers an access token or an API key, with the role of now. ErrToken
// when nobody does, or somebody who was shut out.
func (k *Keeper) Admit(ctx context.Context, credential string) (Identity, error) {
	if strings.HasPrefix(credential, keyPrefix) {
		return k.admitKey(ctx, credential)
	}
	who, err := k.signer.verify(credential)
	if err != nil {
		return Identity{}, err
	}
	return k.asOfNow(ctx, who)
}

// asOfNow gives a token's holder the role that it has now.
func (k *Keeper) asOfNow(ctx context.Context, who Identity) (Identity, error) {
	known := k.standing.Load()
	if known == nil {
		return who, nil // nobody looks: the token has to do
	}
	role, err := k.roleOf(ctx, known, who.UserID)
	if err != nil {
		return Identity{}, err
	}
	if who.KeyID == 0 {
		who.Role = role
	} else if rank(role) < rank(who.Role) {
		who.Role = role
	}
	return who, nil
}

// roleOf finds a user's role, in the store when the user may be new.
func (k *Keeper) roleOf(ctx context.Context, known *standing, id int64) (store.Role, error) {
	if known != nil {
		if role, ok := known.users[id]; ok {
			return role, nil
		}
	}
	u, err := k.User(ctx, id)
	return u.Role, err
}

func (k *Keeper) admitKey(ctx context.Context, secret string) (Identity, error) {
	known := k.standing.Load()
	key, err := k.keyOf(ctx, known, hashToken(secret))
	if err != nil {
		return Identity{}, err
	}
	who := Identity{UserID: key.UserID, KeyID: key.ID, Role: roleOfScopes(key.Scopes), Expires: key.ExpiresAt}
	who.export = slices.Contains(key.Scopes, store.ScopeExport)
	if who.Expires.IsZero() {
		who.Expires = k.now().Add(endless)
	}
	if !k.now().Before(who.Expires) {
		return Identity{}, fmt.Errorf("%w: key %d has ended", ErrToken, key.ID)
	}
	role, err := k.roleOf(ctx, known, key.UserID)
	if err != nil {
		return Identity{}, err
	}
	if rank(role) < rank(who.Role) {
		who.Role = role // no key may more than who made it
	}
	k.uses.note(key.ID, k.now())
	return who, nil
}

func (k *Keeper) keyOf(ctx context.Context, known *standing, hash string) (store.Key, error) {
	if known != nil {
		if key, ok := known.keys[hash]; ok {
			return key, nil
		}
	}
	key, err := k.accounts.KeyByHash(ctx, hash)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Key{}, fmt.Errorf("%w: unknown key", ErrToken)
	case err != nil:
		return store.Key{}, fmt.Errorf("find key: %w", err)
	}
	return key, nil
}

// roleOfScopes is the role that a key's scopes amount to, none for exports alone.
func roleOfScopes(scopes []store.Scope) store.Role {
	switch {
	case slices.Contains(scopes, store.ScopeWrite):
		return store.RoleOperator
	case slices.Contains(scopes, store.ScopeRead):
		return store.RoleViewer
	default:
		return ""
	}
}

// Still reports whether somebody who was let in may stay, as of the last Look.
func (k *Keeper) Still(who Identity) bool {
	known := k.standing.Load()
	if known == nil {
		return true
	}
	if _, ok := known.users[who.UserID]; !ok {
		return false
	}
	if who.KeyID == 0 {
		return true
	}
	for _, key := range known.keys {
		if key.ID == who.KeyID {
			return true
		}
	}
	return false
}

// NewKey makes an API key for the user and returns its secret, which is kept by nobody.
func (k *Keeper) NewKey(ctx context.Context, key store.Key) (secret string, kept store.Key, err error) {
	secret = keyPrefix + randomToken()
	key.Hash = hashToken(secret)
	kept, err = k.accounts.CreateKey(ctx, key)
	if err != nil {
		return "", store.Key{}, fmt.Errorf("create key: %w", err)
	}
	return secret, kept, nil
}

// NewUser makes an account for somebody else. An *InvalidError, or store.ErrConflict when
// the address is taken.
func (k *Keeper) NewUser(ctx context.Context, email, password string, role store.Role) (store.User, error) {
	return k.create(ctx, email, password, cmp.Or(role, store.RoleViewer))
}
