// Package imap is the IMAP guard: it speaks IMAP (RFC 9051, 3501 and their
// extensions) with a client on one side and with the mail server on the other.
//
// No byte of a client's command is passed on. A command is parsed to a typed
// value (package command), decided on, and what the upstream gets is written
// afresh from that value with a tag of the guard's own, so that there is one
// reading of it. Only what the table in commands.go knows is parsed at all.
// Responses are framed and passed on; bodies are copied by their length and
// never parsed.
//
// "mailbox" is the account, in DESIGN's words; what RFC 9051 calls a mailbox is
// a folder here.
//
// # Who owns what
//
// While something happens a session has two goroutines. One reads the client's
// commands and is the session's goroutine; the other, the pump, reads the
// upstream and writes to the client. Neither waits for the other's socket, so
// a client that sends while it is sent to, and an upstream that does the same,
// cannot block each other.
//
//   - The turn (session.turn) is held by whoever speaks to the upstream: the
//     session's goroutine while it handles a command, or a news goroutine that
//     another session of the same member woke up. With it, the guard's own
//     commands are straight-line code: drain what is in flight, say something,
//     read the answer, go on. The pump never takes the turn.
//   - The output (session.out) is held while one whole response is written to
//     the client. It also guards what the client has been told: the marks and
//     the selected folder.
//   - The list of commands in flight (session.flight) has a lock of its own,
//     which is never held while anything is written or read.
//
// The order is turn, output, flight. When both sides have been quiet for a
// moment and nothing is in flight but an IDLE, both goroutines end, their
// buffers go back to the pools, and the two sockets wait with the server (see
// proxy.Parked): a quiet session is one struct.
package imap
