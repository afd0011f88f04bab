package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/tile"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	tilesPath  = "/api/tiles/:z/:x/:y.mvt"
	tileSuffix = ".mvt"
	// maxTiles bounds the tiles that are kept ready; a city has a few thousand that
	// anybody looks at, of some 10 kB.
	maxTiles = 4000
)

// tile answers GET /api/tiles/{z}/{x}/{y}.mvt. Its ETag changes only with the network.
func (s *Server) tile(c *gin.Context) error {
	if err := newQuery(c.Request).done(); err != nil {
		return err
	}
	at, err := readTileAddress(c)
	if err != nil {
		return err
	}
	roads, err := s.parts.Network.Get(c.Request.Context())
	if err != nil {
		return err
	}
	if unchanged(c, roads.Version, revalidate) {
		return nil
	}
	text, err := s.tiles.get(roads, at)
	switch {
	case err != nil:
		return err
	case len(text) == 0:
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return nil
	}
	c.Data(http.StatusOK, tile.MediaType, text)
	return nil
}

// A tileAddress is the place of a tile: zoom, column, row.
type tileAddress struct{ z, x, y int }

func readTileAddress(c *gin.Context) (a tileAddress, err error) {
	row, ok := strings.CutSuffix(c.Param("y"+tileSuffix), tileSuffix)
	if !ok {
		return a, problem.New(problem.NotFound, "a tile's address ends in .mvt")
	}
	if a.z, err = tileNumber("z", c.Param("z"), tile.MaxZoom); err != nil {
		return a, err
	}
	if a.x, err = tileNumber("x", c.Param("x"), 1<<a.z-1); err != nil {
		return a, err
	}
	a.y, err = tileNumber("y", row, 1<<a.z-1)
	return a, err
}

func tileNumber(name, text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, problem.BadInput(name, text, fmt.Sprintf("a whole number from 0 to %d", most))
	}
	return n, nil
}

// A tileCache makes the tiles of one version of the network, and keeps those that
// were asked for last.
type tileCache struct {
	mu      sync.Mutex // guards everything below
	version string
	index   *roadnet.Index
	tiles   *lru.Cache[tileAddress, []byte]
}

// get returns a tile. Two that ask for the same new tile may both make it.
func (t *tileCache) get(roads *network.Roads, at tileAddress) ([]byte, error) {
	index, tiles, err := t.of(roads)
	if err != nil {
		return nil, err
	}
	if text, ok := tiles.Get(at); ok {
		return text, nil
	}
	text, err := tile.Make(index, at.z, at.x, at.y)
	if err != nil {
		return nil, err
	}
	tiles.Add(at, text)
	return text, nil
}

// of returns the index and the tiles of a network, made anew when it changed. Whoever
// comes meanwhile waits for it instead of making the same.
func (t *tileCache) of(roads *network.Roads) (*roadnet.Index, *lru.Cache[tileAddress, []byte], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.index != nil && t.version == roads.Version {
		return t.index, t.tiles, nil
	}
	tiles, err := lru.New[tileAddress, []byte](maxTiles)
	if err != nil {
		return nil, nil, fmt.Errorf("make room for tiles: %w", err)
	}
	list := make([]traffic.Road, len(roads.List))
	for i := range roads.List {
		list[i] = roads.List[i].Road
	}
	t.version, t.index, t.tiles = roads.Version, roadnet.NewIndex(list), tiles
	return t.index, t.tiles, nil
}
