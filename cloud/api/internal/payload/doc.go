// Package payload holds the JSON that people and programs see: one type for each
// schema of openapi.yaml that shows traffic, made from the nouns of shared/traffic.
//
// It promises the field names and units of the document, null for what was not
// measured, and times in UTC. It does not page, filter or send; rest and live do.
package payload
