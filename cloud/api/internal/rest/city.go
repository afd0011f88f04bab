package rest

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/gzip"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
)

const (
	// cityLag is how old the whole city may be when there is something newer: the time
	// between two live messages.
	cityLag = 250 * time.Millisecond
	// cityMax is how old it may be while a newer one is being made.
	cityMax = 2 * time.Second
	// cityLevel of compression costs little and takes nine tenths away.
	cityLevel = 2
)

// A rendering is the whole city, or a page of it, with its states, ready to send.
type rendering struct {
	version       string
	made          time.Time
	plain, packed []byte
}

// renderings keeps the newest rendering of one answer: however many ask, it is encoded and
// compressed at most once in cityLag, and all but the one who makes it get the one before
// meanwhile.
type renderings struct {
	newest atomic.Pointer[rendering]
	making sync.Mutex
}

// maxAnswers bounds the different answers that are kept: the whole city and its pages.
const maxAnswers = 16

// cityCache keeps the answers about the whole city that are asked for most recently.
type cityCache struct {
	answers *lru.Cache[string, *renderings]
}

func newCityCache() (cityCache, error) {
	answers, err := lru.New[string, *renderings](maxAnswers)
	if err != nil {
		return cityCache{}, fmt.Errorf("make cache of answers: %w", err)
	}
	return cityCache{answers}, nil
}

// of returns what is kept of an answer; the key names everything but its version.
func (k cityCache) of(key string) *renderings {
	if r, ok := k.answers.Get(key); ok {
		return r
	}
	r := &renderings{}
	if kept, ok, _ := k.answers.PeekOrAdd(key, r); ok {
		return kept
	}
	return r
}

// get returns a rendering of the version or one that is hardly older.
func (k *renderings) get(version string, now func() time.Time, render func() ([]byte, error)) (*rendering, error) {
	fits := func(lag time.Duration) *rendering {
		if r := k.newest.Load(); r != nil && (r.version == version || now().Sub(r.made) < lag) {
			return r
		}
		return nil
	}
	if r := fits(cityLag); r != nil {
		return r, nil
	}
	if !k.making.TryLock() {
		if r := fits(cityMax); r != nil {
			return r, nil
		}
		k.making.Lock()
	}
	defer k.making.Unlock()
	if r := fits(cityLag); r != nil {
		return r, nil // somebody made it meanwhile
	}
	r := &rendering{version: version, made: now()}
	var err error
	if r.plain, err = render(); err != nil {
		return nil, err
	}
	if r.packed, err = pack(r.plain); err != nil {
		return nil, err
	}
	k.newest.Store(r)
	return r, nil
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, cityLevel)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return b.Bytes(), nil
}

// wholeCity answers with all roads and their states, as a map or a page of the list.
func (s *Server) wholeCity(c *gin.Context, roads *network.Roads, in roadsQuery) error {
	if err := s.pictureReady(c); err != nil {
		return err
	}
	key, media, render := in.format, mediaGeoJSON, s.collection
	if in.format == "json" {
		key, media, render = fmt.Sprint(in.page.Limit, " ", in.page.After), "application/json", s.roadList
	}
	// The revision is read before the states: what is shown may be newer than its name.
	version := roads.Version + "-" + strconv.FormatUint(s.parts.Hub.Picture.Revision(), 36)
	r, err := s.city.of(key).get(version, s.parts.Now, func() ([]byte, error) { return render(roads, in) })
	if err != nil {
		return err
	}
	if unchanged(c, r.version, revalidate) {
		return nil
	}
	text := r.plain
	if takesGzip(c.Request) {
		text = r.packed
		c.Header("Content-Encoding", "gzip")
		c.Writer.Header().Add("Vary", "Accept-Encoding")
	}
	c.Data(http.StatusOK, media, text)
	return nil
}

// takesGzip reports whether the client understands gzip; whoever gives it a weight below
// one gets what the compressor around the router finds best.
func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.EqualFold(strings.TrimSpace(part), "gzip") {
			return true
		}
	}
	return false
}
