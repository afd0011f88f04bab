package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
)

// credentials are the body of a login and of a registration.
type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// linkRequest is the body of POST /api/auth/link.
type linkRequest struct {
	Code string `json:"code"`
}

// refreshRequest is the body of a refresh and of a logout.
type refreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// user is what people may see of an account: everything but the hash.
type user struct {
	ID        int64      `json:"id"`
	Email     string     `json:"email"`
	Role      store.Role `json:"role"`
	CreatedAt time.Time  `json:"created_at"`
}

// session is the answer to everything that logs somebody in.
type session struct {
	Token        string    `json:"token"`
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	User         user      `json:"user"`
}

func userOf(u store.User) user {
	return user{ID: u.ID, Email: u.Email, Role: u.Role, CreatedAt: u.CreatedAt.UTC()}
}

func writeSession(c *gin.Context, status int, s auth.Session) error {
	return write(c, status, session{
		Token: s.Token, RefreshToken: s.RefreshToken, ExpiresAt: s.Expires, User: userOf(s.User),
	})
}

// register answers POST /api/auth/register. It logs the new user in, because the next
// request would be just that.
func (s *Server) register(c *gin.Context) error {
	var in credentials
	if err := readBody(c, &in); err != nil {
		return err
	}
	out, err := s.parts.Keeper.Register(c.Request.Context(), in.Email, in.Password)
	if err != nil {
		return err
	}
	return writeSession(c, http.StatusCreated, out)
}

// login answers POST /api/auth/login. The password's length is not checked here: a
// short one is as wrong as any other.
func (s *Server) login(c *gin.Context) error {
	var in credentials
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Email == "" || in.Password == "" {
		return problem.New(problem.BadBody, "email and password are required")
	}
	out, err := s.parts.Keeper.Login(c.Request.Context(), in.Email, in.Password)
	if err != nil {
		return err
	}
	return writeSession(c, http.StatusOK, out)
}

// link answers POST /api/auth/link.
func (s *Server) link(c *gin.Context) error {
	var in linkRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Code == "" {
		return problem.New(problem.BadBody, "code is required")
	}
	out, err := s.parts.Keeper.Link(c.Request.Context(), in.Code)
	if err != nil {
		return err
	}
	return writeSession(c, http.StatusOK, out)
}

// refresh answers POST /api/auth/refresh. A token that is used twice was stolen from
// somebody, which the operator should hear of.
func (s *Server) refresh(c *gin.Context) error {
	token, err := refreshToken(c)
	if err != nil {
		return err
	}
	out, err := s.parts.Keeper.Refresh(c.Request.Context(), token)
	if errors.Is(err, store.ErrTokenReused) {
		s.log.Warn("a refresh token was used twice; its login has ended", "request_id", requestID(c), "client", c.ClientIP())
	}
	if err != nil {
		return err
	}
	return writeSession(c, http.StatusOK, out)
}

// logout answers POST /api/auth/logout. It needs no access token, so that a client
// whose token ran out can still leave.
func (s *Server) logout(c *gin.Context) error {
	token, err := refreshToken(c)
	if err != nil {
		return err
	}
	if err := s.parts.Keeper.Logout(c.Request.Context(), token); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

// refreshToken reads the body that refresh and logout share.
func refreshToken(c *gin.Context) (string, error) {
	var in refreshRequest
	if err := readBody(c, &in); err != nil {
		return "", err
	}
	if in.RefreshToken == "" {
		return "", problem.New(problem.BadBody, "refresh_token is required")
	}
	return in.RefreshToken, nil
}

// me answers GET /api/me from the store, not from the token: the role may have changed.
func (s *Server) me(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	u, err := s.parts.Keeper.User(c.Request.Context(), identityOf(c).UserID)
	if err != nil {
		return err
	}
	return write(c, http.StatusOK, userOf(u))
}

// readBody reads one JSON object with no unknown fields. The query must be empty,
// because what belongs into a body must not end in a log.
func readBody(c *gin.Context, into any) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || kind != "application/json" {
		return problem.New(problem.UnsupportedMedia, "the body must be application/json")
	}
	body, err := io.ReadAll(c.Request.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case err != nil:
		return problem.New(problem.BadBody, "the body could not be read to its end")
	case !utf8.Valid(body):
		return problem.New(problem.BadBody, "the body is not UTF-8")
	}
	return decode(body, into)
}

// decode refuses what encoding/json would let pass: unknown fields, which are usually
// misspelt ones, and a second value.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return problem.New(problem.BadBody, "the body is not the JSON object that is wanted: "+complaint(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem.New(problem.BadBody, "the body has more than one JSON value")
	}
	return nil
}

// complaint is the decoder's, without Go's names for things.
func complaint(err error) string {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Sprintf("%s must not be a %s", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return "it is a " + wrongType.Value
	case errors.As(err, &syntax):
		return fmt.Sprintf("%v at byte %d", syntax, syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
