// Package credentials reads what a client logs in with from the messages of the
// SASL mechanisms, and writes the message that the upstream gets instead. It is the
// same in every protocol; how the messages travel is not its business. It is pure:
// no I/O, no clock.
//
// The upstream must not log in somebody other than the guard watches. So it never
// gets the client's message, but one made from what was read; and where that is not
// possible, what could be read in two ways is refused.
package credentials
