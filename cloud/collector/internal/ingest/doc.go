// Package ingest turns MQTT messages into database transactions and answers them
// when, and only when, they are committed.
//
//	Offer ─► inbox ─► decode, check, score ─► gather ─► Append ─► answer ─► broker
//	        bounded    several goroutines      one       two        │        PUBACK and
//	                                        micro-batch             └─► live  wire.Ack
//
// It promises that a message is answered after the transaction that holds its
// readings, or the record of their rejection, was committed, and never before;
// that memory is bounded whatever the broker sends and however long the store is
// away; and that no message, whatever its bytes, stops those behind it. Two transactions
// run at a time; meanwhile the next is gathered and those after it are decoded.
//
// It does not know MQTT connections (broker), bytes (wire) or SQL (store). The
// root package of the collector wires it.
package ingest
