// Package imapconn is an IMAP connection for tests. It shows exactly what
// arrived, sends exactly what it is given, nonsense too, and keeps a transcript
// for the message of a test that fails. What arrives is compared with the rules
// of RFC 9051; with Strict set, whatever breaks them is an error.
package imapconn
