// Package dataset reads the files that forecasts are measured on into grids: wide
// files with a column per sensor, long ones with a row per sensor and hour, and the
// forms that road authorities publish. Compressed files (.gz) are read as they are.
//
// It promises that a value it cannot read is missing, never zero, and that an error
// names the file and the line. What a file is it finds out from the header. Beside the
// file it looks for an adjacency matrix (*adj*.csv) and for sensor places
// (*locations*.csv).
//
// It knows no model. cmd/backtest calls it.
package dataset
