//go:build !race

package roadnet_test

const raceEnabled = false
