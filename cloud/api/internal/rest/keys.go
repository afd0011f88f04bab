package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
)

// maxKeys bounds the keys of a city.
const maxKeys = 1000

// keyRequest is the body of POST /api/keys.
type keyRequest struct {
	Name      string        `json:"name"`
	Scopes    []store.Scope `json:"scopes"`
	ExpiresAt *time.Time    `json:"expires_at"`
}

// key is what an admin sees of one.
type key struct {
	ID        int64         `json:"id"`
	Name      string        `json:"name"`
	Scopes    []store.Scope `json:"scopes"`
	UserID    int64         `json:"user_id"`
	CreatedAt time.Time     `json:"created_at"`
	ExpiresAt *time.Time    `json:"expires_at"`
	UsedAt    *time.Time    `json:"used_at"`
}

// newKey is what is shown of it once.
type newKey struct {
	key
	Secret string `json:"key"`
}

func keyOf(k *store.Key) key {
	return key{
		ID: k.ID, Name: k.Name, Scopes: k.Scopes, UserID: k.UserID, CreatedAt: k.CreatedAt,
		ExpiresAt: orNull(k.ExpiresAt), UsedAt: orNull(k.UsedAt),
	}
}

// keys answers GET /api/keys.
func (s *Server) keys(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	ks, err := s.parts.Store.Keys(c.Request.Context())
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, show(ks, "", keyOf))
}

// createKey answers POST /api/keys. The key belongs to who makes it.
func (s *Server) createKey(c *gin.Context) error {
	var in keyRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	k, err := s.checkKey(in)
	if err != nil {
		return err
	}
	have, err := s.parts.Store.Keys(c.Request.Context())
	if err != nil {
		return err
	}
	if len(have) >= maxKeys {
		return problem.New(problem.Conflict, fmt.Sprintf("there are %d keys, which is the most: delete some", maxKeys))
	}
	k.UserID = identityOf(c).UserID
	secret, k, err := s.parts.Keeper.NewKey(c.Request.Context(), k)
	if err != nil {
		return err
	}
	s.audit(c, "a key was made", "key", k.ID, "name", k.Name, "scopes", k.Scopes, "by_user", k.UserID)
	return write(c, http.StatusCreated, newKey{keyOf(&k), secret})
}

func (s *Server) checkKey(in keyRequest) (store.Key, error) {
	allowed := []store.Scope{store.ScopeRead, store.ScopeWrite, store.ScopeExport}
	k := store.Key{Name: in.Name, Scopes: in.Scopes}
	if in.Name == "" || utf8.RuneCountInString(in.Name) > maxLabelChars || strings.ContainsRune(in.Name, 0) {
		return k, problem.BadInput("name", in.Name, fmt.Sprintf("1 to %d characters", maxLabelChars))
	}
	slices.Sort(k.Scopes)
	k.Scopes = slices.Compact(k.Scopes)
	if len(k.Scopes) == 0 {
		return k, problem.BadInput("scopes", "", fmt.Sprint("at least one of ", allowed))
	}
	for _, scope := range k.Scopes {
		if !slices.Contains(allowed, scope) {
			return k, problem.BadInput("scopes", string(scope), fmt.Sprint("some of ", allowed))
		}
	}
	if in.ExpiresAt != nil {
		if !in.ExpiresAt.After(s.parts.Now()) || in.ExpiresAt.Year() > 9999 {
			return k, problem.BadInput("expires_at", in.ExpiresAt.Format(time.RFC3339), "a time to come, or leave it out")
		}
		k.ExpiresAt = *in.ExpiresAt
	}
	return k, nil
}

// deleteKey answers DELETE /api/keys/{id}.
func (s *Server) deleteKey(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := s.parts.Store.DeleteKey(c.Request.Context(), id); err != nil {
		return err
	}
	s.audit(c, "a key was deleted", "key", id, "by_user", identityOf(c).UserID)
	return done(c)
}

// pathID is the number in the path; there is nothing under what is no number.
func pathID(c *gin.Context) (int64, error) {
	if err := newQuery(c.Request).done(); err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return 0, problem.New(problem.NotFound, "it does not exist")
	}
	return id, nil
}

// done answers that it was done.
func done(c *gin.Context) error {
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}
