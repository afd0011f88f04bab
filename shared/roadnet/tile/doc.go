// Package tile makes map tiles of a road network: Mapbox vector tiles, which browsers
// draw.
//
// It promises that a tile is the same bytes for the same network, that it holds what
// can be seen at its zoom and no more (motorways far out, every street near), and that
// no request makes it work on more than one tile. It keeps nothing: whoever serves
// tiles caches them. The API serves them.
package tile
