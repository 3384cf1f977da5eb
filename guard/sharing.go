package guard

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"mailguard/ledger"
	"mailguard/member"
)

// A mailbox that is not configured either way counts as shared once two named
// members have used it.
const namedMembersOfShared = 2

// shared says whether a mailbox is shared, this visit included.
func (g *Guard) shared(ctx context.Context, s Settings, v Visitor) bool {
	if s.Shared != SharedAuto {
		return s.Shared == SharedYes
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.readNamed(ctx) {
		return true // nobody can say now: closed rather than open
	}
	if !v.Member.Anonymous() {
		if g.named[v.Mailbox] == nil {
			g.named[v.Mailbox] = make(map[member.Name]bool)
		}
		g.named[v.Mailbox][v.Member] = true
	}
	if v.Neighbour {
		if g.opened == nil {
			g.opened = make(map[member.Mailbox]bool)
		}
		g.opened[v.Mailbox] = true
	}
	return g.opened[v.Mailbox] || len(g.named[v.Mailbox]) >= namedMembersOfShared
}

// knownShared is shared without a visit.
func (g *Guard) knownShared(ctx context.Context, s Settings, name member.Mailbox) bool {
	if s.Shared != SharedAuto {
		return s.Shared == SharedYes
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.readNamed(ctx) || g.opened[name] || len(g.named[name]) >= namedMembersOfShared
}

// readNamed reads from the ledger, once, who was told apart so far. Afterwards
// it is known without the ledger which mailboxes are shared.
func (g *Guard) readNamed(ctx context.Context) bool {
	if g.named != nil {
		return true
	}
	known, err := g.Ledger.NamedMembers(ctx)
	if err != nil {
		return false
	}
	g.named = make(map[member.Mailbox]map[member.Name]bool, len(known))
	for box, names := range known {
		g.named[box] = make(map[member.Name]bool, len(names))
		for _, name := range names {
			g.named[box][name] = true
		}
	}
	return true
}

// arrivals remembers who was put on record lately, so that a mailbox without
// a guard costs the ledger one write an hour and not one a login.
type arrivals struct {
	seen *lru.Cache[arrival, time.Time]
}

type arrival struct {
	mailbox  member.Mailbox
	member   member.Name
	protocol member.Protocol
}

const (
	arrivalsKept   = 20_000
	arrivalsRenew  = time.Hour
	arrivalTimeout = 10 * time.Second
)

func newArrivals() *arrivals {
	seen, _ := lru.New[arrival, time.Time](arrivalsKept) // only a size below one is an error
	return &arrivals{seen: seen}
}

// arrived reports whether somebody's use of a mailbox is on record, or about
// to be.
func (g *Guard) arrived(v Visitor) bool {
	last, ok := g.recent.seen.Get(arrival{v.Mailbox, v.Member, v.Protocol})
	return ok && g.Now().Sub(last) < arrivalsRenew
}

// arrive puts on record that somebody uses a mailbox. The session does not wait
// for it, and does not fail with it: where policy cannot touch the mailbox it
// matters for `mailguard mailboxes` and for noticing a second member. Over IMAP
// a folder is opened without a write, and a failed one is tried again.
func (g *Guard) arrive(v Visitor) {
	if g.arrived(v) {
		return
	}
	key := arrival{v.Mailbox, v.Member, v.Protocol}
	now := g.Now()
	g.recent.seen.Add(key, now)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), arrivalTimeout)
		defer cancel()
		if err := g.Ledger.Arrive(ctx, g.visit(v, now)); err != nil {
			g.recent.seen.Remove(key)
			g.Log.Debug().Err(err).Str("mailbox", string(v.Mailbox)).Msg("arrival not recorded")
		}
	}()
}

// visit is a visitor's session for the ledger.
func (g *Guard) visit(v Visitor, at time.Time) ledger.Visit {
	return ledger.Visit{
		Mailbox: v.Mailbox, Member: v.Member, Protocol: v.Protocol, Proof: v.Proof,
		Address: v.Address, Client: v.Client, Configured: g.Mailboxes.Lookup(v.Mailbox).Members, At: at,
	}
}
