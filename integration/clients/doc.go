// Package clients runs real POP3 and IMAP clients as a person's machine does:
// one poll or one job at a time, with TLS, in a folder of their own. A test
// sees what each of them left there and how the client ended.
package clients
