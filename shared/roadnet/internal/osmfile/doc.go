// Package osmfile reads OpenStreetMap extracts, as XML or PBF, object by object.
//
// It promises that a damaged, truncated or hostile file gives an error and never a
// panic, and that memory holds one block (PBF) or one object (XML) at a time. The XML
// side is paulmach/osm/osmxml; the PBF side is written here on generated messages,
// because the usual decoders index tables unchecked in goroutines of their own, where
// a bad file ends the whole process. It knows nothing of roads: package roadnet
// calls it.
package osmfile
