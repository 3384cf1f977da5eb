// Package ledger is the durable record: which messages a mailbox holds, who
// fetched and who deleted each of them, what is held, what was decided and
// why, and what was released. What a client is told about a deletion is
// written here first, and is on the disk before the client hears it.
//
// A Ledger is safe for use by any number of goroutines. All writes go through
// one goroutine, the committer, which puts what many sessions have to write
// into one transaction and one fsync. Reads have connections of their own.
// One process opens a ledger file at a time.
//
// The ledger knows no rules. Where a decision has to be made within a
// transaction (a release is claimed only if its condition still holds at that
// moment) it calls back.
//
// Times are kept in milliseconds since 1970 in UTC. "Mailbox" is DESIGN's
// word: the account that people share.
package ledger
