// Package shelf keeps the files of trained models: a few versions for each channel (what
// they forecast), named by the end of the history that they were trained with.
//
// It promises that a file is whole or not there, also after a power cut; that a version
// which cannot be used (damaged, of another format, of another road graph) is passed over
// for the one before it, and said; and that no more than Keep versions stay. Without
// a folder it keeps nothing: models live in memory until the process ends.
//
// Which version is good is none of its business; package predictor judges, and is its only
// caller.
package shelf
