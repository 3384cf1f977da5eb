package member

import "net/netip"

// Options say how members are told apart. They come from the configuration.
type Options struct {
	Order         []Proof           // asked in this order; the first that answers gives the member
	Separator     string            // between login name and member, cut off before the upstream sees it: "#"
	Networks      []Network         // for ByNetwork; the first that contains the address wins
	DefaultDomain string            // completes a login name that has no domain; "" leaves it bare
	LoginDomains  map[string]string // Exchange's short (NetBIOS) domain, lower case, to the mail domain
}

// Network is one named network: every address in it is one member.
type Network struct {
	Prefix netip.Prefix
	Member Name
}
