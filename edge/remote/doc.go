// Package remote takes settings from the centre, so that nobody has to drive to a box, and
// makes sure that nobody has to drive there because of them.
//
// The centre leaves {"version":n,"settings":{…}} on the edge's configuration topic,
// retained. The settings are a few that cannot do much harm, by the names of the flags
// (docs/formats/config.md); what is not named is as the box's own flags say. The state of
// the newest version is in the edge's status, for the centre to see:
//
//	refused      a name or a value is not allowed, or could not be applied; nothing changed
//	pending      applied, and waiting for the collector to answer
//	applied      the collector answered under the new settings: they are kept
//	rolled back  it did not within the limit, or the process ended before: the settings are
//	             again those that were applied last
//
// A version counts once: only one that is higher than all that were looked at is looked at.
//
// It promises that settings that were not confirmed do not survive a restart, that those
// that were do, and that a file that cannot be read is as good as none: the box then
// has its own flags. It does not know what the settings mean; the agent applies them, and
// calls it.
package remote
