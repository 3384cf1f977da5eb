// Package pop3 is the POP3 guard: it speaks POP3 (RFC 1939, 2449, 2595, 3206,
// 5034, 6856) with a client on one side and with the mail server on the other.
//
// A session is one goroutine and goes in lock-step: a POP3 server never speaks
// unasked, and a client sends no bodies, so nothing needs a queue. Pipelined
// commands wait in the read buffer. The session owns both connections.
//
// No byte that a client sends is passed on. A command is parsed to a typed
// value, and what the upstream gets is written afresh from that value, so that
// there is one reading of it. Only what the table in commands.go knows is
// parsed at all.
//
// Nothing is removed upstream before the client has sent QUIT and the ledger
// has committed what QUIT means. If anything fails before that, nothing is
// deleted.
package pop3
