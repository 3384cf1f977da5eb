package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mailguard/ledger"
	"mailguard/message"
	"mailguard/policy"
)

// Maildrop is a member's POP3 session in a guarded mailbox: what is hidden
// from them, and what becomes of a deletion. Messages go by their place in the
// listing that it was opened with, from 0. It belongs to one goroutine.
type Maildrop struct {
	guard    *Guard
	visitor  Visitor
	visit    ledger.Visit
	listing  []message.Listed
	drop     *ledger.Maildrop
	watching bool
	readOnly bool

	chosen  *policy.Chosen // the rules that can apply, chosen when the mailbox was opened
	fetches []ledger.Fetch // confirmed, not on record yet
	audit   []ledger.Decision
}

// OpenMaildrop opens a maildrop as the upstream lists it. since is a time
// before the upstream let the session in. The error wraps ErrTemporary: the
// member must not be let in, since an unfiltered view would make every client
// download everything again.
func (g *Guard) OpenMaildrop(ctx context.Context, v Visitor, stance Stance, since time.Time, listing []message.Listed) (*Maildrop, error) {
	m := &Maildrop{guard: g, visitor: v, visit: g.visit(v, since), listing: listing, watching: stance == Watch}
	if err := m.open(ctx); err != nil && !m.watching {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	} else if err != nil { // observe mode runs as if there were no guard
		g.Log.Warn().Err(err).Str("mailbox", string(v.Mailbox)).Msg("observed session is not recorded")
		m.drop = nil
	}
	facts := g.MailboxFacts(v.Mailbox, policy.Everyone{})
	m.chosen = g.Policy.For(facts, v.Protocol)
	return m, nil
}

func (m *Maildrop) open(ctx context.Context) error {
	err := m.guard.Ledger.Writable(ctx)
	if err == nil {
		m.drop, err = m.guard.Ledger.OpenMaildrop(ctx, m.visit, m.listing)
	}
	if errors.Is(err, ledger.ErrReadOnly) && m.guard.ReadOn {
		m.readOnly = true
		m.drop, err = m.guard.Ledger.ReadMaildrop(ctx, m.visit, m.listing)
	}
	return err
}

// Hidden reports for each message whether the member has deleted it. In
// observe mode nothing is hidden.
func (m *Maildrop) Hidden() []bool {
	if m.watching || m.drop == nil {
		return make([]bool, len(m.listing))
	}
	return m.drop.Hidden
}

// ID is the ledger's number of the i-th message, 0 if it has none.
func (m *Maildrop) ID(i int) message.ID {
	if m.drop == nil {
		return 0
	}
	return m.drop.IDs[i]
}

// Fetched notes that the member got the whole i-th message. It goes on record
// with the next Save or Commit.
func (m *Maildrop) Fetched(i int, at time.Time, fingerprint *message.Fingerprint) {
	if id := m.ID(i); id != 0 {
		m.fetches = append(m.fetches, ledger.Fetch{Message: id, At: at, Fingerprint: fingerprint})
	}
}

// Ruling is what was decided about one deletion.
type Ruling struct {
	Index    int // of the message in the listing
	Decision policy.Decision
	Outcome  policy.Outcome
	Facts    *policy.Facts
}

// Decide says what becomes of the deletion of the i-th message. Nothing is on
// record yet: a deferral or a removal counts from Commit on. The error wraps
// ErrTemporary; the deletion must then be refused.
func (m *Maildrop) Decide(ctx context.Context, i int) (Ruling, error) {
	r, err := m.decide(ctx, i)
	if err == nil && !m.watching && r.Outcome != policy.Refused {
		err = m.recordable(ctx, i)
	}
	if err != nil {
		return Ruling{}, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	if r.Outcome == policy.Refused || r.Outcome == policy.Accepted {
		m.audit = append(m.audit, m.onRecord(r))
	}
	return r, nil
}

func (m *Maildrop) decide(ctx context.Context, i int) (Ruling, error) {
	facts, err := m.facts(ctx, i)
	if err != nil {
		return Ruling{}, err
	}
	decision, err := m.chosen.Decide(facts)
	if err != nil {
		return Ruling{}, err
	}
	return Ruling{Index: i, Decision: decision, Outcome: m.outcome(decision, facts), Facts: facts}, nil
}

// errUnknown is the error of a deletion that could not be remembered.
var errUnknown = errors.New("the upstream gave this message no unique-id that it could be remembered by")

func (m *Maildrop) recordable(ctx context.Context, i int) error {
	switch {
	case m.readOnly:
		return ledger.ErrReadOnly
	case m.ID(i) == 0:
		return errUnknown
	default:
		return m.guard.Ledger.Writable(ctx)
	}
}

// facts gathers the facts of now.
func (m *Maildrop) facts(ctx context.Context, i int) (*policy.Facts, error) {
	box := m.visitor.Mailbox
	everyone, err := m.guard.Ledger.Everyone(ctx, box)
	if err != nil {
		return nil, err
	}
	f := &policy.Facts{
		Op: policy.POP3Dele, Folder: "INBOX", Now: m.guard.Now(),
		Mailbox: m.guard.MailboxFacts(box, everyone),
		Member: policy.MemberFacts{
			Name: m.visitor.Member, Protocol: m.visitor.Protocol, Address: m.visitor.Address,
			Client: m.visitor.Client, Proof: m.visitor.Proof,
		},
		Message: policy.MessageFacts{FirstSeen: m.visit.At, Size: m.listing[i].Size},
	}
	if id := m.ID(i); id != 0 {
		held, err := m.guard.Ledger.Lookup(ctx, box, id)
		if err != nil {
			return nil, err
		}
		if held != nil {
			f.Message = held.Facts()
		}
	}
	f.Message.FlagsKnown = m.visitor.NoFlags
	return f, nil
}

// outcome lets observe mode, the rule for anonymous members and pins have
// their say.
func (m *Maildrop) outcome(d policy.Decision, f *policy.Facts) policy.Outcome {
	switch {
	case m.watching:
		return policy.Observed
	case d.Verdict == policy.Allow && !f.Message.Pinned:
		return policy.Allowed
	case d.Verdict == policy.Refuse:
		return policy.Refused
	case m.visitor.Member.Anonymous() && d.Anonymous == policy.AnonymousRefuse:
		return policy.Refused
	case m.visitor.Member.Anonymous() && d.Anonymous == policy.AnonymousAccept:
		return policy.Accepted
	default:
		return policy.Deferred
	}
}
