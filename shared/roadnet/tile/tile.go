package tile

import (
	"fmt"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
	"github.com/paulmach/orb/simplify"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// Layer is the name of the layer that holds the roads.
	Layer = "roads"
	// MediaType is that of a tile.
	MediaType = "application/vnd.mapbox-vector-tile"
	// MaxZoom is the nearest zoom; maps enlarge its tiles beyond.
	MaxZoom = 16
	// bufferShare is how far beyond its edges a tile draws, as a share of its width,
	// so that wide lines do not end at the border.
	bufferShare = 1.0 / 64
	// The sizes below are in steps of a tile's grid of 4,096: 1 is invisible.
	toleranceSteps = 2
	shortestSteps  = 4
)

// Make makes the tile at zoom z, column x and row y of the usual web map grid. Each
// road is one feature with the properties id, class and, where it has one, name. The
// tile of a place without roads is empty. The error names what is out of range.
func Make(index *roadnet.Index, z, x, y int) ([]byte, error) {
	if z < 0 || z > MaxZoom {
		return nil, fmt.Errorf("make tile: zoom %d is not allowed: want 0 to %d", z, MaxZoom)
	}
	if most := 1<<z - 1; x < 0 || x > most || y < 0 || y > most {
		return nil, fmt.Errorf("make tile: column %d, row %d are not allowed at zoom %d: want 0 to %d", x, y, z, most)
	}
	at := maptile.New(uint32(x), uint32(y), maptile.Zoom(z))
	layer := &mvt.Layer{Name: Layer, Version: 2, Extent: mvt.DefaultExtent, Features: features(index, at)}
	if len(layer.Features) == 0 {
		return nil, nil
	}
	layer.ProjectToTile(at)
	const buffer = mvt.DefaultExtent * bufferShare
	layer.Clip(orb.Bound{Min: orb.Point{-buffer, -buffer}, Max: orb.Point{mvt.DefaultExtent + buffer, mvt.DefaultExtent + buffer}})
	layer.Simplify(simplify.DouglasPeucker(toleranceSteps))
	if z < MaxZoom {
		layer.RemoveEmpty(shortestSteps, 0)
	}
	if len(layer.Features) == 0 {
		return nil, nil
	}
	out, err := mvt.Marshal(mvt.Layers{layer})
	if err != nil {
		return nil, fmt.Errorf("make tile %d/%d/%d: %w", z, x, y, err)
	}
	return out, nil
}

// features are the roads that a tile shows, in the order of the index.
func features(index *roadnet.Index, at maptile.Tile) []*geojson.Feature {
	box := at.Bound(bufferShare)
	southWest := traffic.Point{Lat: box.Min.Lat(), Lng: box.Min.Lon()}
	northEast := traffic.Point{Lat: box.Max.Lat(), Lng: box.Max.Lon()}
	var out []*geojson.Feature
	for _, i := range index.InBox(southWest, northEast) {
		r := &index.Roads()[i]
		if int(at.Z) < fromZoom(r.Class) {
			continue
		}
		f := geojson.NewFeature(lines(r.Geometry))
		f.Properties = geojson.Properties{"id": string(r.ID), "class": string(r.Class)}
		if r.Label != "" {
			f.Properties["name"] = r.Label
		}
		out = append(out, f)
	}
	return out
}

// fromZoom is the zoom from which roads of a class are shown.
func fromZoom(c traffic.Class) int {
	switch c {
	case traffic.ClassMotorway, traffic.ClassTrunk:
		return 5
	case traffic.ClassPrimary:
		return 8
	case traffic.ClassSecondary:
		return 10
	case traffic.ClassTertiary:
		return 12
	default: // residential, and what is not known: a whole map may be of it
		return 13
	}
}

func lines(geometry [][]traffic.Point) orb.Geometry {
	out := make(orb.MultiLineString, len(geometry))
	for i, part := range geometry {
		out[i] = make(orb.LineString, len(part))
		for j, p := range part {
			out[i][j] = orb.Point{p.Lng, p.Lat}
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}
