package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/2zrhun/city-flow/shared/store"
)

// A list is the answer to a question for many things.
type list[T any] struct {
	Data       []T          `json:"data"`
	NextCursor store.Cursor `json:"next_cursor"`
	HasMore    bool         `json:"has_more"`
}

// show makes a list of what a store returned.
func show[T, S any](items []T, next store.Cursor, form func(*T) S) list[S] {
	data := make([]S, len(items))
	for i := range items {
		data[i] = form(&items[i])
	}
	return list[S]{Data: data, NextCursor: next, HasMore: next != ""}
}

// listWith is a list and what is known about the data as a whole.
type listWith[T any] struct {
	list[T]
	Watermark *time.Time `json:"watermark"`
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// write answers with JSON. Nothing is sent when the value cannot be encoded.
func write(c *gin.Context, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if c.Writer.Header().Get("Cache-Control") == "" {
		c.Header("Cache-Control", "no-store")
	}
	c.Data(status, "application/json", append(text, '\n'))
	return nil
}

// unchanged sets the ETag of this answer and reports whether the client has it
// already, in which case it was told so. ETags are weak, because the same answer may be
// sent with and without compression.
func unchanged(c *gin.Context, version, cacheControl string) bool {
	tag := `W/"` + version + `"`
	c.Header("ETag", tag)
	c.Header("Cache-Control", cacheControl)
	if !noneMatch(c.Request.Header.Values("If-None-Match"), tag) {
		return false
	}
	c.Status(http.StatusNotModified)
	c.Writer.WriteHeaderNow()
	return true
}

// noneMatch reports whether the client has a version, compared weakly (RFC 9110, 13.1.2).
func noneMatch(headers []string, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for _, h := range headers {
		for t := range strings.SplitSeq(h, ",") {
			t = strings.TrimSpace(t)
			if t == "*" || strings.TrimPrefix(t, "W/") == opaque {
				return true
			}
		}
	}
	return false
}
