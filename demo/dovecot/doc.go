// Package dovecot runs a real Dovecot of its own for the demo and for the
// tests: a private directory, loopback only, free ports, nothing of the
// system's configuration, mail or logs touched.
//
// Dovecot runs as one ordinary user: the current one, or, where the current
// user is root, the user that Dovecot's packages made. Close stops every
// process that Start began; where the Go program dies without Close the kernel
// tells Dovecot to stop (Linux), and its files stay behind in the temporary
// directory.
//
// The files under Maildir are what is really there: Messages reads them, not
// what the server says, and so it is the judge of whether mail was lost.
package dovecot
