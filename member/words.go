package member

import "strings"

// Mailbox is the canonical name of an account that people share:
// "support@example.com", in lower case. A server without domains has bare
// names.
type Mailbox string

// Domain is the part behind the "@", or "" for a bare name.
func (m Mailbox) Domain() string {
	_, domain, _ := strings.Cut(string(m), "@")
	return domain
}

// Name is a member's canonical name, in lower case. "" is the anonymous
// member: everybody whom no identity tells apart.
type Name string

// Anonymous reports whether nobody in particular is meant.
func (n Name) Anonymous() bool { return n == "" }

// Proof says by which identity a member was told. It is shown wherever the
// member is, because not all of them prove anything.
type Proof string

// The identities, in the words of the configuration's `identity`.
const (
	ByNobody      Proof = ""            // anonymous
	ByLogin       Proof = "login"       // what the client says of itself
	ByPassword    Proof = "password"    // proven
	ByCertificate Proof = "certificate" // proven
	ByNetwork     Proof = "network"     // a guess
	ByAddress     Proof = "address"     // a guess
)

// Protocol is the protocol of a session: a view is kept per member and
// protocol.
type Protocol string

// The two protocols that the guard speaks.
const (
	POP3 Protocol = "pop3"
	IMAP Protocol = "imap"
)
