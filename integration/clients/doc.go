// Package clients runs real POP3 clients as a person's machine does: one poll
// at a time, with TLS, into a folder of their own. A test sees what each poll
// delivered and how the client ended.
package clients
