package guard

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/policy"
)

// Options are what a guard works with.
type Options struct {
	Ledger    *ledger.Ledger
	Policy    *policy.Policy
	Mode      Mode
	Mailboxes *Directory
	LearnFor  time.Duration // how long a mailbox is watched before its members count as known
	AuditKeep time.Duration // how long the record of decisions is kept; 0: for ever
	ReadOn    bool          // let new sessions in to read while the ledger cannot be written
	Now       func() time.Time
	Log       zerolog.Logger
}

// Guard decides about deletions. Its methods may be called from any
// goroutine.
type Guard struct {
	Options

	mu     sync.Mutex
	named  map[member.Mailbox]map[member.Name]bool // who is told apart; nil until the ledger was read
	opened map[member.Mailbox]bool                 // reached by neighbours
	recent *arrivals

	folders *openFolders
	copies  *copies
	sweeps  *sweeps
}

// ErrTemporary is the error of whatever cannot be had or recorded now: the
// client is told to try again later, and nothing was deleted.
var ErrTemporary = errors.New("not possible for the moment")

// New returns a guard.
func New(o Options) *Guard {
	return &Guard{Options: o, recent: newArrivals(), folders: newOpenFolders(), copies: newCopies(copiesKept), sweeps: newSweeps()}
}

// Visitor is somebody who has logged in.
type Visitor struct {
	member.Identity

	Protocol member.Protocol
	Address  netip.Addr // the client's
	Client   string     // as the client named itself, "" unknown
	NoFlags  bool       // the upstream has no IMAP: messages have no flags

	// Neighbour says that the mailbox is another login's, reached through a
	// namespace: at least two people use it.
	Neighbour bool
}

// Stance is how a login is treated.
type Stance int

// The stances.
const (
	Relay   Stance = iota // policy can never touch this mailbox
	Watch                 // observe mode: everything passes and is recorded
	Protect               // the guard decides
)

// Admit says how a login is treated, and remembers who uses the mailbox. It
// does not wait for the ledger.
func (g *Guard) Admit(ctx context.Context, v Visitor) Stance {
	settings := g.Mailboxes.Lookup(v.Mailbox)
	shared := g.shared(ctx, settings, v)
	chosen := g.Policy.For(g.mailboxFacts(v.Mailbox, settings, shared, policy.Everyone{}), v.Protocol)
	switch {
	case chosen.OnlyAllows():
		g.arrive(v)
		return Relay
	case g.observes(settings):
		return Watch
	default:
		return Protect
	}
}

// Observes reports whether a mailbox is in observe mode: nothing is done there
// that its clients do not do, and nothing is released.
func (g *Guard) Observes(m member.Mailbox) bool { return g.observes(g.Mailboxes.Lookup(m)) }

func (g *Guard) observes(s Settings) bool {
	if s.Mode != "" {
		return s.Mode == Observe
	}
	return g.Mode == Observe
}

// MailboxFacts are a mailbox's facts for policy, with what the ledger knows
// about who uses it.
func (g *Guard) MailboxFacts(name member.Mailbox, e policy.Everyone) policy.MailboxFacts {
	settings := g.Mailboxes.Lookup(name)
	// At most once in a process this reads the ledger: no caller waits long.
	shared := g.knownShared(context.Background(), settings, name)
	return g.mailboxFacts(name, settings, shared, e)
}

func (g *Guard) mailboxFacts(name member.Mailbox, s Settings, shared bool, e policy.Everyone) policy.MailboxFacts {
	e.Configured = s.Members
	e.LearnFor, e.AbsentAfter = g.LearnFor, s.AbsentAfter
	f := policy.MailboxFacts{Name: name, Shared: shared, QuotaUsed: -1, Everyone: e}
	if e.QuotaUsed != nil {
		f.QuotaUsed = *e.QuotaUsed
	}
	return f
}

// String is the stance as the log names it.
func (s Stance) String() string {
	return [...]string{"relay", "observe", "protect"}[s]
}
