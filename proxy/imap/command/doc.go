// Package command holds every command of IMAP that the guard knows as a typed
// value (RFC 9051, RFC 3501 and the extensions that are named where they are
// read). It is pure.
//
// No byte that a client sends is passed on. A command is read to a value, the
// guard decides on the value, and what goes upstream is written from it: there
// is one reading of a command, on both sides of the guard. For every command
// that can be read, what is written reads as the same value again.
//
// An RFC's "mailbox" is called folder here. Names of folders are in UTF-8, and
// "INBOX" is written so however the client wrote it.
package command
