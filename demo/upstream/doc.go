// Package upstream is a small POP3 server that keeps its mail in memory. The
// demo puts it behind the guard where no Dovecot is installed; the tests of
// the guard use it as an upstream that fails when it is told to; the benchmark
// compares with it. It behaves as Dovecot does: a session sees the mailbox as
// it was at the login, deletions take effect at QUIT, several sessions may use
// a mailbox at once, unique-ids are made of UID and UIDVALIDITY.
package upstream
