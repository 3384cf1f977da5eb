// Package tlsconf makes the TLS configurations of listeners and of upstream
// connections out of files, with errors that tell a person what to do, and the
// certificate of the demo. It opens no connection and owns nothing: what it
// returns is the caller's, and immutable once in use.
package tlsconf
