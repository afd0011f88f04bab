// Package clock is what an edge knows about the time. A Raspberry Pi has no battery clock:
// it boots in 1970, or where it was when it was last shut down, and may stay there for
// hours without a network.
//
// # When the time is known
//
// The clock counts from the machine's boot (CLOCK_BOOTTIME, which nobody can set and which
// goes on through suspend) and knows the time once it knows when that was. In this order:
//
//	operator  Mode Trusted: the machine's clock is right, whatever it says
//	ntp       the kernel says that its clock is synchronised (adjtimex without
//	          STA_UNSYNC: chrony, ntpd and systemd-timesyncd clear it)
//	server    the collector's clock came with an acknowledgement: right to half of the
//	          round trip; the best measurement counts, and grows old at 100 ppm
//	saved     an earlier process of the same boot knew it
//
// A time before the program was built is none, whoever says it. What was known once
// remains known until the next boot: when NTP loses its servers, or somebody sets the
// machine's clock by hand (which makes the kernel forget that it is synchronised), the
// clock goes on counting from what it knew, and listens to collectors. So a step of the machine's clock by
// hours moves no reading; it is counted and logged.
//
// # While it is unknown
//
// Read returns the time since boot, added to 1970: a stamp. The buffer holds readings
// with stamps back until OnKnown told it when the boot was. A sensor's own time is
// kept; whether it lies in the future the collector judges. Now returns a time that has
// passed for sure, for certificates: the latest of the machine's clock, the last time
// that was known (kept in a file, written every ten minutes), and the program's build.
// That file can be removed when it is wrong; nothing else depends on it.
//
// # When two clocks differ
//
// A machine whose clock is synchronised, or trusted by its operator, is not corrected by
// the collector's: the difference is reported, and warned of from 2 s on (Tolerance). One
// that only has the collector's follows it, but a jump of more than Tolerance only
// when a second measurement agrees. Times that were given are never changed again.
//
// It does not set the machine's clock and speaks no NTP. The agent opens it; intake,
// buffer and uplink ask it.
package clock
