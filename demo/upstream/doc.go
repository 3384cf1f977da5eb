// Package upstream is a small POP3 and IMAP server that keeps its mail in
// memory. The demo puts it behind the guard where no Dovecot is installed; the
// tests of the guard use it as an upstream that fails when it is told to; the
// benchmark compares with it. It behaves as Dovecot 2.3 does: a POP3 session
// sees the INBOX as it was at the login, deletions take effect at QUIT, several
// sessions may use a mailbox at once, unique-ids are made of UID and
// UIDVALIDITY; the IMAP side (RFC 3501 and the extensions of its CAPABILITY)
// answers in Dovecot's forms. Removed says what was removed and by whom.
//
// A session is one goroutine, with a second one only while it is in IDLE. What
// is in the folders is guarded by the lock of their mailbox, and no lock is
// held while a session reads or writes. A view is what one IMAP session was
// told of its folder; it learns of changes by comparing, see view.update.
package upstream
