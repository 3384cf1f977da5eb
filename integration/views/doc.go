// Package views holds the model-based tests of per-member views. Random
// operations of several members, of a POP3 client and of somebody who goes past
// the guard are played to a guard in this process, in front of a real Dovecot or
// of the server in memory, and each client's picture is held to a model.
package views
