package member

import (
	"net/netip"
	"slices"
	"strings"
)

// Identity is what a login comes to: whose mailbox, opened by whom.
type Identity struct {
	Mailbox      Mailbox
	Member       Name // "" is the anonymous member
	Proof        Proof
	UpstreamName string // the login name that the upstream gets
	Authorizes   bool   // the member acts by a SASL authorization identity: the upstream has to honour it
}

// Resolver tells members apart. It is immutable.
type Resolver struct{ options Options }

// NewResolver returns a resolver for the options.
func NewResolver(o Options) *Resolver { return &Resolver{options: o} }

// Resolve names the mailbox and the member of a login. The error wraps
// ErrLogin; the login must then be refused.
func (r *Resolver) Resolve(l Login, client netip.Addr) (Identity, error) {
	p, err := r.options.parse(l)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Mailbox: p.mailbox, UpstreamName: p.upstream, Authorizes: p.authorizes}
	id.Member, id.Proof = r.who(p, client)
	return id, nil
}

// who asks the identities in their order.
func (r *Resolver) who(p parsed, client netip.Addr) (Name, Proof) {
	for _, by := range r.options.Order {
		switch by {
		case ByLogin:
			if p.member != "" {
				return p.member, ByLogin
			}
		case ByNetwork:
			if name, ok := r.network(client); ok {
				return name, ByNetwork
			}
		}
	}
	return "", ByNobody
}

func (r *Resolver) network(client netip.Addr) (Name, bool) {
	client = client.Unmap().WithZone("")
	i := slices.IndexFunc(r.options.Networks, func(n Network) bool { return n.Prefix.Contains(client) })
	if i < 0 {
		return "", false
	}
	return r.options.Networks[i].Member, true
}

// In is who a login is in another mailbox, whose folders it reaches through a
// namespace: the member that it is in its own, or else the login itself. The
// name of a login in the same domain is its local part, so that one person goes
// by one name.
func (id Identity) In(mailbox Mailbox) Identity {
	other := Identity{Mailbox: mailbox, Member: id.Member, Proof: id.Proof, UpstreamName: id.UpstreamName}
	if !id.Member.Anonymous() {
		return other
	}
	other.Member, other.Proof = Name(id.Mailbox), ByLogin
	if local, ok := strings.CutSuffix(string(id.Mailbox), "@"+mailbox.Domain()); ok && local != "" {
		other.Member = Name(local)
	}
	return other
}
