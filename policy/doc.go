// Package policy turns the facts of a deletion into a verdict, and the facts
// of a held message into whether it may be released. It is pure: no I/O and no
// clock; the time is one of the facts. A fact that could not be had is an
// error, never a zero value.
package policy
