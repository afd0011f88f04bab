// Package storetest is the promise of package store as a test suite. Each backend
// passes all of Test; Bench measures the same things for each.
//
// There are no switches for what a backend cannot do. What the suite demands
// beyond the words of the interfaces, so that backends agree in corners, too:
//
//   - A duplicate changes nothing: no road, no label, no state. Of two equal keys in one
//     batch the earlier is the first.
//   - A road's newest state is the first stored of those with the newest time.
//   - Readings of equal time are listed by sensor, in byte order.
//   - A reading's Place belongs to its road and is not read back.
//   - NUL bytes and invalid UTF-8 in text are kept as U+FFFD.
//   - An empty list of roads, ids or statuses selects nothing; nil selects all.
//   - LatestPredictions answers for the predictions that the query selects: with
//     To it is the newest before that time.
//   - A rejected message that arrives again is kept once; they are listed in the
//     reverse order of arrival.
//   - A gap that has grown keeps its place in the list.
//   - Averages are those of the readings, whether Maintain made them before or not, and
//     outlive the readings by what the Upkeep says.
//   - Retention keeps whole days: what is older than the begin of the day on which its
//     time is over goes, and nothing else. A reading that comes later than that is taken,
//     changes no average that exists, and goes with the next Maintain.
//   - A refresh token that was exchanged is ErrTokenReused whatever else is true of it.
//
// Only the test files of backends import it.
package storetest
