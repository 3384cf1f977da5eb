// Package account is the service account: with nobody logged in, the guard
// logs in to a mailbox by itself, to look at messages, to remove those that are
// released, and to make copies of them. It speaks IMAP; what it does over POP3
// is in proxy/pop3. It decides nothing: what may be removed, and whether it is
// the same message, is its caller's business.
//
// A connection is disposable. Whatever the server says that is not understood
// ends it, and so does the end of a context. What was under way is then
// unknown, and is settled by looking again on another one.
package account
