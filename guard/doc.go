// Package guard is where a deletion comes in and a recorded decision goes out,
// once for both protocols. It gathers the facts, asks policy, applies observe
// mode and the rule for anonymous members, and fails closed: whatever cannot
// be known or recorded is a deletion that does not happen.
package guard
