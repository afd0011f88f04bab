// Package parisfeed knows the hourly road counts that the city of Paris publishes
// (data set "comptages-routiers-permanents"): the names of its fields in every form
// the publisher gives them, and what they mean.
//
// The conventions, from the publisher's notice and checked against its data:
//
//   - t_1h is the END of the counted hour. The reading is stamped with its beginning.
//   - The yearly history and spreadsheets made from it give Paris wall-clock time
//     without a zone; the API and its exports give the same instants with an offset.
//   - Autumn: the wall-clock stamp 02:00 occurs once on the 25-hour day and names the
//     SECOND 02:00, +01:00 (the API form says so); the hour before it is lost at the
//     publisher. Spring: the stamps 02:00 and 03:00 carry no values; a value on a
//     wall-clock time that does not exist is rejected, not moved.
//   - q is vehicles in the hour, and may be a fraction, because the publisher derives
//     some arcs from their neighbours; k is occupancy in percent. Each may be absent
//     alone. Both absent is an hour without measurement, not an error.
//   - etat_barre ("invalid", "closed") does not filter: since 2012 it says "invalid"
//     on nearly every plausible row.
//   - Sensor and road are both called PARIS-<iu_ac>.
//
// It does not open files or talk to servers: package replay and package paris do,
// and are its callers.
package parisfeed
