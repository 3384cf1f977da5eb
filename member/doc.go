// Package member turns what is known of a login (the name the client wrote,
// its SASL authorization identity, its address) into the mailbox that is
// opened and the member who opens it. It is pure: no I/O and no clock.
//
// Names are made canonical here, and only here, before anything is looked up
// by them: two ledger identities for one person or one mailbox would be a way
// round the guard.
package member
