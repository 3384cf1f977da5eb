// Package message holds what identifies a message: the unique-id that POP3
// shows, the folder with UIDVALIDITY and UID that IMAP shows, the size and the
// fingerprint. It is pure: no I/O, no clock, nothing of the project's own is
// imported.
package message
