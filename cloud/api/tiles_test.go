package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/maptile"

	"github.com/2zrhun/city-flow/shared/roadnet/tile"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// tilePath is the address of the tile that holds a point.
func tilePath(p traffic.Point, z int) string {
	at := maptile.At(orb.Point{p.Lng, p.Lat}, maptile.Zoom(z))
	return fmt.Sprintf("/api/tiles/%d/%d/%d.mvt", at.Z, at.X, at.Y)
}

// roadsOf are the ids of the roads of a tile.
func roadsOf(t *testing.T, text []byte) map[string]bool {
	t.Helper()
	layers, err := mvt.Unmarshal(text)
	if err != nil || len(layers) != 1 {
		t.Fatalf("%v: %d layers", err, len(layers))
	}
	ids := make(map[string]bool)
	for _, f := range layers[0].Features {
		ids[f.Properties.MustString("id")] = true
	}
	return ids
}

func TestTiles(t *testing.T) {
	roads := line(60)
	c, token := begun(t, roads...)
	path := tilePath(roads[0].Geometry[0][0], 12)
	a := c.get(path, token).want(200)
	if got := roadsOf(t, a.body); a.header.Get("Content-Type") != tile.MediaType || !got["R0000"] || len(got) != 60 {
		t.Errorf("%v %v", a.header, got)
	}
	etag := a.header.Get("ETag")
	c.get(path, token, "If-None-Match", etag).want(304)
	c.measure(reading("R0000", 0, 30, 600))
	c.get(path, token, "If-None-Match", etag).want(304)
	zipped := c.get(path, token, "Accept-Encoding", "gzip").want(200)
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) >= len(a.body) {
		t.Errorf("%d bytes with compression %q, %d without", len(zipped.body), zipped.header.Get("Content-Encoding"), len(a.body))
	}
	c.get("/api/tiles/12/0/0.mvt", token).want(http.StatusNoContent)

	c.get(path, "").want(401)
	for _, bad := range []string{"/api/tiles/17/0/0.mvt", "/api/tiles/-1/0/0.mvt", "/api/tiles/1/2/0.mvt", "/api/tiles/1/0/2.mvt", "/api/tiles/1/0/x.mvt", path + "?a=b"} {
		c.get(bad, token).want(400)
	}
	c.get("/api/tiles/1/0/0", token).want(404)
	c.get("/api/tiles/1/0/0.png", token).want(404)
}

// Roads that are new are in the tiles as soon as the server knows them.
func TestTilesFollowTheNetwork(t *testing.T) {
	roads := line(2)
	c, token := begun(t, roads[:1]...)
	path := tilePath(roads[0].Geometry[0][0], 14)
	before := c.get(path, token).want(200)
	if err := c.store.PutRoads(t.Context(), roads[1:]); err != nil {
		t.Fatal(err)
	}
	c.measure(reading("R0001", 0, 30, 600)) // news of a road that is not known
	c.eventually("the new road in the tile", func() bool {
		a := c.get(path, token).want(200)
		return roadsOf(t, a.body)["R0001"] && a.header.Get("ETag") != before.header.Get("ETag")
	})
}
