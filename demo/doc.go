// Package demo shows the whole product on one machine with nothing to
// configure: a mail server with a shared mailbox, the guard in front of it, and
// a story that is played by real clients of the real server. What it prints of
// the story is what those clients were told.
package demo
