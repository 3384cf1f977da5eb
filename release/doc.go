// Package release says which held messages are due, and claims them: durably,
// for one session only, and only if the condition still holds at that moment.
// The removal itself is carried out by whoever claimed, on a connection of
// their own, after checking that it is the same message; whether it happened
// is settled by reading, the next time that the mailbox is listed.
package release
