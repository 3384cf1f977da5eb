package guard

import (
	"context"
	"fmt"

	"mailguard/ledger"
	"mailguard/message"
	"mailguard/policy"
)

// Deletion is what a command wants to do to messages, or to a folder.
type Deletion struct {
	Op             policy.Op
	Destination    string // canonical name of the folder that it goes to, "" none
	DestinationUse string // that folder's special use, "" none
}

// FolderRuling is what was decided about one message of a folder, or about a
// whole folder; Seen is then the zero value.
type FolderRuling struct {
	Seen     message.Seen
	Decision policy.Decision
	Outcome  policy.Outcome // Allowed, Refused, Deferred, Accepted; Observed in observe mode
	Facts    *policy.Facts
}

// Preview says what would become of deletions, for a client that only marks.
// Nothing of it is recorded. The error wraps ErrTemporary; the mark must then
// be refused.
func (f *Folder) Preview(ctx context.Context, d Deletion, seen []message.Seen) ([]FolderRuling, error) {
	rulings, err := f.rule(ctx, d, seen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return rulings, nil
}

// Decide says what becomes of deletions, with the facts of now; seen is what
// was read of the messages for it. Nothing may be removed before Commit. What
// is refused or accepted goes on record with the next Save or Commit, whether
// or not Commit is given its ruling. An expunge of what the member copied a
// moment ago is decided as a move. The error wraps ErrTemporary; all of the
// deletions must then be refused.
func (f *Folder) Decide(ctx context.Context, d Deletion, seen []message.Seen) ([]FolderRuling, error) {
	rulings, err := f.rule(ctx, d, seen)
	if err == nil {
		err = f.recordable(ctx, rulings)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	f.note(rulings)
	return rulings, nil
}

// note keeps what was refused or accepted for the next Save or Commit.
func (f *Folder) note(rulings []FolderRuling) {
	if len(f.audit) >= maxPending {
		return
	}
	for _, r := range rulings {
		if r.stays() {
			f.audit = append(f.audit, r.onRecord())
		}
	}
}

// stays reports whether the message stays where it is, and its mark ends.
func (r FolderRuling) stays() bool {
	return r.Outcome == policy.Refused || r.Outcome == policy.Accepted
}

// recordable makes sure that what is allowed or deferred could be recorded now.
func (f *Folder) recordable(ctx context.Context, rulings []FolderRuling) error {
	for _, r := range rulings {
		if r.Outcome == policy.Allowed || r.Outcome == policy.Deferred {
			return f.guard.Ledger.Writable(ctx)
		}
	}
	return nil
}

func (f *Folder) rule(ctx context.Context, d Deletion, seen []message.Seen) ([]FolderRuling, error) {
	if f.blind != nil && !f.watching {
		return nil, f.blind
	}
	if len(seen) == 0 {
		return nil, nil
	}
	g := f.guard
	common, err := g.folderFacts(ctx, f.visitor, f.opened, d)
	if err != nil {
		return nil, err
	}
	known, err := g.Ledger.LookupFolder(ctx, f.visitor.Mailbox, f.key, uidsOf(seen))
	if err != nil {
		return nil, err
	}
	chosen := g.Policy.For(common.Mailbox, f.visitor.Protocol) // who shares the mailbox may have changed since it was opened
	rulings := make([]FolderRuling, 0, len(seen))
	for _, m := range seen {
		facts := f.facts(common, m, known[m.UID])
		decision, err := chosen.Decide(facts)
		if err != nil {
			return nil, err
		}
		rulings = append(rulings, FolderRuling{m, decision, f.outcome(decision, facts), facts})
	}
	return rulings, nil
}

func uidsOf(seen []message.Seen) []message.UID {
	all := make([]message.UID, len(seen))
	for i, m := range seen {
		all[i] = m.UID
	}
	return all
}

// folderFacts are the facts that all messages of a folder share.
func (g *Guard) folderFacts(ctx context.Context, v Visitor, o OpenedFolder, d Deletion) (*policy.Facts, error) {
	everyone, err := g.Ledger.Everyone(ctx, v.Mailbox)
	if err != nil {
		return nil, err
	}
	return &policy.Facts{
		Op: d.Op, Folder: o.Name, FolderUse: o.Use, Destination: d.Destination, DestinationUse: d.DestinationUse,
		Mailbox: g.MailboxFacts(v.Mailbox, everyone), Now: g.Now(),
		Member: policy.MemberFacts{Name: v.Member, Protocol: v.Protocol, Address: v.Address, Client: v.Client, Proof: v.Proof},
	}, nil
}

// facts are one message's facts. What the upstream showed now goes before what
// the ledger remembers.
func (f *Folder) facts(common *policy.Facts, m message.Seen, known *ledger.Held) *policy.Facts {
	facts := *common
	facts.Message = policy.MessageFacts{FirstSeen: f.since}
	if known != nil {
		facts.Message = known.Facts()
	}
	if m.Size > 0 {
		facts.Message.Size = m.Size
	}
	if !m.InternalDate.IsZero() {
		facts.Message.FirstSeen = m.InternalDate
	}
	facts.Message.Flags, facts.Message.FlagsKnown = m.Flags, true
	if facts.Op != policy.IMAPExpunge {
		return &facts
	}
	if c, ok := f.copied(m.UID); ok {
		facts.Op, facts.Destination, facts.DestinationUse = policy.IMAPMove, c.to.key.Name, c.use
	}
	return &facts
}

// outcome lets observe mode, pins and the rule for anonymous members have
// their say.
func (f *Folder) outcome(d policy.Decision, facts *policy.Facts) policy.Outcome {
	switch {
	case f.watching:
		return policy.Observed
	case facts.Message.Pinned || d.Verdict == policy.Refuse:
		return policy.Refused
	case d.Verdict == policy.Allow:
		return policy.Allowed
	case f.visitor.Member.Anonymous() && d.Anonymous == policy.AnonymousRefuse:
		return policy.Refused
	case f.visitor.Member.Anonymous() && d.Anonymous == policy.AnonymousAccept:
		return policy.Accepted
	default:
		return policy.Deferred
	}
}
