// Package turns makes routing exact where turns cost time or are forbidden: a Network is
// a graph whose nodes are the roads of another and whose edges are the turns from one
// road into the next. dissect and cch work on it as on any graph; Route translates a
// question about junctions and the answer back.
//
// It promises that a way costs its roads and its turns together, that a turn of
// routing.Infinity is never made, and that turns cost what they cost in one metric:
// they change with the next. It takes about 2.5 times the memory of the plain graph.
// Where only turning back is refused and searches stay small, routing.Search on roads
// with cch.Bound of the plain graph is the cheaper way; the rerouter goes it.
package turns
