// Package system starts CityFlow's binaries for tests, asks them over their public
// interfaces, and ends them, also when the test fails. It keeps their log for the
// failure report and knows nothing of their insides.
package system
