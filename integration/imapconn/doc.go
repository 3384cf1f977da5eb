// Package imapconn speaks IMAP in tests. [Conn] is a connection that shows
// exactly what arrived, sends exactly what it is given, nonsense too, and keeps a
// transcript for the message of a test that fails. [Between] stands between
// clients of any kind and a server. Both hold what the server says to the rules
// of RFC 9051, by what this client has been told: message numbers, UIDs, what may
// come during which command, and that each command has its reply.
package imapconn
