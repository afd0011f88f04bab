// Package quality finds out from the readings themselves which of them, and which
// sensors, are not to be trusted.
//
// Monitor.Judge flags readings that are late, repeat a stuck value or contradict
// themselves, and never changes what was measured; the rules are those that operators
// of loop detectors use (Turner, "Quality Control Procedures for Archived Operations
// Traffic Data", FHWA 2007; Jacobson, Nihan and Bender, TRR 1287, 1990), each cited
// where it stands. It keeps a few numbers a sensor, for a bounded number of sensors, and
// hands out what has changed to be stored.
//
// It does not reject: what cannot be a measurement at all, traffic.Reading.Validate
// has refused before. The collector's pipeline calls it.
package quality
