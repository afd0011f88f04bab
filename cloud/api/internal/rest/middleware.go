package rest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/limit"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
)

const (
	identityKey = "identity"
	headerID    = "X-Request-Id"
	headerKey   = "X-Api-Key"
	// maxRequestID bounds an id that a proxy in front gave.
	maxRequestID = 64
)

func requestID(c *gin.Context) string { return c.Writer.Header().Get(headerID) }

// identify gives the request its id: the proxy's, or a new one.
func identify(c *gin.Context) {
	id := c.GetHeader(headerID)
	if !plainID(id) {
		id = rand.Text()
	}
	c.Header(headerID, id)
}

// plainID reports whether an id can stand in a header and a log line as it is.
func plainID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return strings.Trim(id, plain) == ""
}

// observe logs and counts the request. The query string is never logged, because it
// may hold a token.
func (s *Server) observe(c *gin.Context) {
	begin := time.Now()
	c.Next()
	took := time.Since(begin)
	route := c.FullPath()
	if route == "" {
		route = "other"
	}
	status := c.Writer.Status()
	s.metrics.requests.WithLabelValues(c.Request.Method, route, strconv.Itoa(status)).Inc()
	if !endless(route) {
		s.metrics.duration.WithLabelValues(route).Observe(took.Seconds())
	}
	level := slog.LevelDebug
	if status >= http.StatusBadRequest {
		level = slog.LevelInfo
	}
	s.log.Log(c.Request.Context(), level, "request", "request_id", requestID(c), "method", c.Request.Method,
		"path", c.Request.URL.Path, "status", status, "took", took, "bytes", c.Writer.Size(), "client", c.ClientIP())
}

// recoverPanic turns a panic of a handler into an internal problem.
func (s *Server) recoverPanic(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal of net/http
			panic(v)
		}
		s.fail(c, &problem.Error{
			Kind: problem.Internal, Detail: "something went wrong here; the request id finds it in the log",
			Cause: fmt.Errorf("panic: %v\n%s", v, debug.Stack()),
		})
		c.Abort()
	}()
	c.Next()
}

// secure sets the headers that keep browsers from doing what we did not mean.
func (s *Server) secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// contentPolicy lets the dashboard's map work: MapLibre's worker is a blob, its sprites
// are data or blob images, and it sets styles on elements. More names the other places
// that the map may load tiles from.
func contentPolicy(more []string) string {
	also := strings.Join(append([]string{""}, more...), " ")
	return "default-src 'self'; script-src 'self'; worker-src 'self' blob:; child-src blob:; " +
		"img-src 'self' data: blob:" + also + "; style-src 'self' 'unsafe-inline'; font-src 'self' data:; " +
		"connect-src 'self'" + also + "; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// bound gives the request a deadline and its body a size.
func bound(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	if endless(c.FullPath()) {
		return // it ends when its client leaves
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// endless reports whether a route answers for as long as its client listens.
func endless(route string) bool {
	return isStream(route) || strings.HasPrefix(route, exportPath)
}

// require lets only those in who may do what needs role.
func (s *Server) require(role store.Role) gin.HandlerFunc {
	return s.gate(func(who auth.Identity) string {
		switch {
		case who.May(role):
			return ""
		case who.KeyID != 0:
			return fmt.Sprintf("this needs the role %s; the scopes of this key do not give it", role)
		}
		return fmt.Sprintf("this needs the role %s; yours is %s", role, who.Role)
	})
}

// requireExport lets only those in who may take data out in bulk.
func (s *Server) requireExport() gin.HandlerFunc {
	return s.gate(func(who auth.Identity) string {
		if who.MayExport() {
			return ""
		}
		return "this needs a key with the scope export"
	})
}

// gate finds out who asks and refuses those for whom there is a reason.
func (s *Server) gate(refuse func(auth.Identity) string) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, err := s.admit(c.Request)
		if err != nil {
			s.fail(c, err)
			c.Abort()
			return
		}
		c.Set(identityKey, who)
		key := "user " + strconv.FormatInt(who.UserID, 10)
		if who.KeyID != 0 {
			key = "key " + strconv.FormatInt(who.KeyID, 10)
		}
		if !s.pass(c, s.perUser, "api", key) {
			return
		}
		if reason := refuse(who); reason != "" {
			s.fail(c, problem.New(problem.Forbidden, reason))
			c.Abort()
		}
	}
}

// admit tells who asks, by token, key or, for streams, ticket.
func (s *Server) admit(r *http.Request) (auth.Identity, error) {
	if isStream(r.URL.Path) {
		if ticket := r.URL.Query().Get("ticket"); ticket != "" {
			return s.parts.Keeper.Punch(r.Context(), ticket)
		}
	}
	return s.parts.Keeper.Admit(r.Context(), bearer(r))
}

// isStream reports whether a path is that of the live stream in one of its forms.
func isStream(path string) bool { return path == streamPath || path == eventsPath }

// identityOf is who require let in.
func identityOf(c *gin.Context) auth.Identity {
	who, _ := c.MustGet(identityKey).(auth.Identity)
	return who
}

// bearer finds the access token or key: in the Authorization header, a key also in
// X-API-Key, and for streams, where
// browsers can set no header, in the sub-protocols or the query.
func bearer(r *http.Request) string {
	const scheme = "bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return strings.TrimSpace(h[len(scheme):])
	}
	if key := r.Header.Get(headerKey); key != "" {
		return key
	}
	if r.URL.Path != streamPath {
		return ""
	}
	for _, h := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(h, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(p), "bearer."); ok {
				return token
			}
		}
	}
	return r.URL.Query().Get("token")
}

// limited bounds what one address may ask of an open route.
func (s *Server) limited(l *limit.Limiter, policy string) gin.HandlerFunc {
	return func(c *gin.Context) { s.pass(c, l, policy, clientKey(c.ClientIP())) }
}

// clientKey is the address; of IPv6 the network, of which one client has all addresses.
func clientKey(ip string) string {
	addr := net.ParseIP(ip)
	if addr == nil || addr.To4() != nil {
		return ip
	}
	return addr.Mask(net.CIDRMask(64, 128)).String()
}

// pass counts the request and answers 429 when there were too many. The headers are
// those of draft-ietf-httpapi-ratelimit-headers.
func (s *Server) pass(c *gin.Context, l *limit.Limiter, policy, key string) bool {
	v := l.Take(key)
	c.Header("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%d`, policy, l.Rate.Burst, seconds(l.Rate.Window())))
	c.Header("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, policy, v.Remaining, seconds(v.Full)))
	if v.OK {
		return true
	}
	s.metrics.limited.WithLabelValues(policy).Inc()
	s.fail(c, &problem.Error{Kind: problem.TooManyRequests, Detail: "too many requests", RetryAfter: max(v.Retry, time.Second)})
	c.Abort()
	return false
}

func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }
