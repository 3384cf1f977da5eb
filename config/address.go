package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// hostPort is an address taken apart.
type hostPort struct {
	host string // without brackets; "" for all addresses
	port int
}

// splitAddress takes HOST:PORT apart. What is wrong continues a sentence that
// begins with the key's name; it is "" where nothing is.
func splitAddress(address string) (hostPort, string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		if _, isIP := netip.ParseAddr(address); isIP == nil && strings.Contains(address, ":") {
			return hostPort{}, "is HOST:PORT with an IPv6 address in brackets, as in [" + address + "]:995, not " + quote(address)
		}
		return hostPort{}, "is HOST:PORT or :PORT, not " + quote(address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return hostPort{}, "ends in a port number from 1 to 65535, not " + quote(port)
	}
	if host != "" && !isHost(host) {
		return hostPort{}, "begins with an IP address or the name of a host, not " + quote(host)
	}
	return hostPort{strings.ToLower(host), int(n)}, ""
}

// isHost reports whether a text is an IP address or can be the name of a host.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return isDomain(strings.TrimSuffix(strings.ToLower(host), "."))
}

// isDomain reports whether a text in lower case can be a domain: parts of
// letters, digits and inner hyphens, at most 253 octets (RFC 1035, 2.3.4). An
// underscore and letters beyond ASCII occur in practice.
func isDomain(domain string) bool {
	for part := range strings.SplitSeq(domain, ".") {
		if part == "" || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' ||
			strings.ContainsFunc(part, notInDomain) {
			return false
		}
	}
	return len(domain) <= 253
}

func notInDomain(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
	return !letter && r != '-' && r != '_' && r < 0x80
}

// ip returns the host as an IP address. `localhost` counts as the address that
// it has everywhere.
func (a hostPort) ip() (netip.Addr, bool) {
	if a.host == "localhost" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	ip, err := netip.ParseAddr(a.host)
	return ip.Unmap(), err == nil
}

func (a hostPort) loopback() bool {
	ip, ok := a.ip()
	return ok && ip.IsLoopback()
}

// private reports whether the address is one of this machine or of a network
// that is not routed on the internet.
func (a hostPort) private() bool {
	ip, ok := a.ip()
	return ok && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast())
}

// everywhere reports whether a listener with this address takes connections to
// every address of the machine. 0.0.0.0 and [::] both do.
func (a hostPort) everywhere() bool {
	ip, ok := a.ip()
	return a.host == "" || ok && ip.IsUnspecified()
}

// same reports whether both are one address.
func (a hostPort) same(b hostPort) bool {
	ip, isIP := a.ip()
	other, isOther := b.ip()
	if isIP && isOther {
		return a.port == b.port && ip == other
	}
	return a == b
}

// collides reports whether two listeners cannot both have their address. Port
// 0 is any that is free.
func (a hostPort) collides(b hostPort) bool {
	return a.port != 0 && a.port == b.port && (a.everywhere() || b.everywhere() || a.same(b))
}

// reaches reports whether a connection to a arrives at a listener on b.
func (a hostPort) reaches(b hostPort) bool {
	return a.port == b.port && (a.same(b) || b.everywhere() && (a.loopback() || a.everywhere()))
}
