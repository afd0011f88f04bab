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
//     faster than the way it replaces by Config.MinGain at least. It is the fastest
//     such way, exactly.
//   - Both gains are computed road by road from the same speeds: what outlook makes
//     of the forecast, else the live speed, else free flow. The advice's reason states
//     the times and emissions whose differences they are, to the digit.
//   - The advised share is the largest with which the detour is still worth taking once
//     it is taken, and with which no road of it is overloaded, together with all other
//     advice of the cycle (package herding). Advice that would only move the jam is not
//     given, nor any over a road that is itself forecast to be congested.
//   - Advice does not flap: for advice in force, conditions are eased by
//     Config.Hysteresis, and its detour stays unless another is clearly better.
//   - An operator's decision about a detour holds as long as it is advised cycle after
//     cycle: approved advice is stored as approved, rejected as rejected. What was
//     approved for an earlier cycle expires. (A decision that is made between the
//     reading and the writing of a cycle, a fraction of a second, is overwritten.)
//   - After each cycle, PutReroutes was called, also with nothing: advice that no
//     longer holds is expired. Then bus.TopicReroutes carries what is in force.
//   - A store or bus that is gone ends nothing: Ready says so, and it goes on later.
//
// It does not ask the operator and does not answer route queries. It takes the network
// from store.RoadReader: roads without junctions get no advice, and
// cityflow_rerouter_congested_roads_total counts them. cmd/rerouter runs it as a
// service, the standalone binary beside everything else.
package rerouter
