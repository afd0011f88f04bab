// Package rerouter advises detours: for every road that is forecast to be congested,
// the fastest way round it on the road network, with what it saves in minutes and
// CO2.
//
// It promises:
//
//   - Advice is about now. Each time the predictor finished a cycle, the newest
//     cycle in the store is handled; when cycles come faster than they are handled,
//     as in a replay, those in between are skipped. Advice for one cycle depends on
//     the store's content alone.
//   - A detour is connected, does not use what it avoids, never turns back, and is
//     faster than the way it replaces by Config.MinGain at least.
//   - Both gains are computed edge by edge from the same speeds: what outlook makes
//     of the forecast, else the live speed, else free flow.
//   - After each cycle, PutReroutes was called, also with nothing: advice that no
//     longer holds is expired. Then bus.TopicReroutes carries what is in force.
//   - A store or bus that is gone ends nothing: Ready says so, and it goes on later.
//
// It does not foresee that an advised detour fills up, does not ask the operator,
// and does not answer route queries. It takes the network from store.RoadReader:
// roads without junctions get no advice, and cityflow_rerouter_congested_roads_total
// counts them. cmd/rerouter runs it as a service, the standalone binary beside
// everything else.
package rerouter
