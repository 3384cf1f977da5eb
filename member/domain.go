package member

import (
	"slices"
	"strings"
)

// DomainFits reports whether a login's domain fits one of the patterns of an
// upstream: a domain, or one that begins with "*", which stands for any text.
func DomainFits(patterns []string, domain string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		suffix, wildcard := strings.CutPrefix(p, "*")
		return p == domain || (wildcard && strings.HasSuffix(domain, suffix))
	})
}
