//go:build race

package roadnet_test

// raceEnabled says that this test binary watches for races, which makes it slow.
const raceEnabled = true
