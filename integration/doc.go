// Package integration holds the tests that run the built binary as its users
// do: in front of a real Dovecot, with real mail clients, killed, starved of
// disk and drained. Its code is all tests.
//
// What a test needs and this machine does not have makes it skip with the
// reason; with MAILGUARD_REQUIRE_ALL or CI set it fails instead.
package integration
