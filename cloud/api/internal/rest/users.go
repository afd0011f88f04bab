package rest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
)

// account is what an admin sees of a user.
type account struct {
	user
	UpdatedAt  time.Time  `json:"updated_at"`
	DisabledAt *time.Time `json:"disabled_at"`
}

// accountRequest is the body of POST /api/users.
type accountRequest struct {
	credentials
	Role store.Role `json:"role"`
}

// accountChange is the body of PATCH /api/users/{id}.
type accountChange struct {
	Role     *store.Role `json:"role"`
	Disabled *bool       `json:"disabled"`
}

func accountOf(u *store.User) account {
	return account{user: userOf(*u), UpdatedAt: u.UpdatedAt.UTC(), DisabledAt: orNull(u.DisabledAt)}
}

// users answers GET /api/users.
func (s *Server) users(c *gin.Context) error {
	q := newQuery(c.Request)
	page := q.page()
	if err := q.done(); err != nil {
		return err
	}
	us, next, err := s.parts.Store.Users(c.Request.Context(), page)
	if err != nil {
		return ofCursor(err, page)
	}
	return write(c, http.StatusOK, show(us, next, accountOf))
}

// createUser answers POST /api/users, also where registration is switched off.
func (s *Server) createUser(c *gin.Context) error {
	var in accountRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Role != "" {
		if err := checkRole(in.Role); err != nil {
			return err
		}
	}
	u, err := s.parts.Keeper.NewUser(c.Request.Context(), in.Email, in.Password, in.Role)
	if err != nil {
		return err
	}
	s.audit(c, "a user was made", "user", u.ID, "role", u.Role, "by_user", identityOf(c).UserID)
	return write(c, http.StatusCreated, accountOf(&u))
}

func checkRole(r store.Role) error {
	roles := []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin}
	if !slices.Contains(roles, r) {
		return problem.BadInput("role", string(r), fmt.Sprint("one of ", roles))
	}
	return nil
}

// changeUser answers PATCH /api/users/{id}. What it does holds everywhere within seconds:
// see auth.LookEvery.
func (s *Server) changeUser(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in accountChange
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Role == nil && in.Disabled == nil {
		return problem.New(problem.BadBody, "role or disabled is required")
	}
	if in.Role != nil {
		if err := checkRole(*in.Role); err != nil {
			return err
		}
	}
	u, err := s.parts.Store.ChangeUser(c.Request.Context(), id, store.UserChange{Role: in.Role, Disabled: in.Disabled}, s.parts.Now())
	if err != nil {
		return err
	}
	s.audit(c, "a user was changed", "user", u.ID, "role", u.Role, "disabled", !u.DisabledAt.IsZero(), "by_user", identityOf(c).UserID)
	return write(c, http.StatusOK, accountOf(&u))
}

// deleteUser answers DELETE /api/users/{id}.
func (s *Server) deleteUser(c *gin.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := s.parts.Store.DeleteUser(c.Request.Context(), id); err != nil {
		return err
	}
	s.audit(c, "a user was deleted", "user", id, "by_user", identityOf(c).UserID)
	return done(c)
}
