package release

import (
	"context"
	"fmt"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Options are what a releaser works with.
type Options struct {
	Ledger *ledger.Ledger
	Policy *policy.Policy
	// Mailbox adds what the configuration says of a mailbox to what the
	// ledger knows of who uses it.
	Mailbox func(member.Mailbox, policy.Everyone) policy.MailboxFacts
	Now     func() time.Time
}

// Releaser finds and claims what is due. Its methods may be called from any
// goroutine.
type Releaser struct{ Options }

// New returns a releaser.
func New(o Options) *Releaser { return &Releaser{o} }

// Due returns the held messages of a mailbox that may be released now, oldest
// first. flagsFresh says that the caller knows the messages' flags of this
// moment, or that the upstream has none. It is a look and no promise: Claim
// asks again.
func (r *Releaser) Due(ctx context.Context, mailbox member.Mailbox, flagsFresh bool) ([]message.Identity, error) {
	held, err := r.Ledger.Held(ctx, ledger.Filter{Mailbox: mailbox})
	if err != nil || len(held) == 0 {
		return nil, err
	}
	everyone, err := r.Ledger.Everyone(ctx, mailbox)
	if err != nil {
		return nil, err
	}
	var due []message.Identity
	var unless []message.ID
	for _, h := range held {
		ruling := r.rule(h, everyone, flagsFresh)
		switch {
		case ruling.UnlessHolds:
			unless = append(unless, h.Message.ID)
		case ruling.Due && h.Message.Claimed.IsZero():
			due = append(due, identity(h.Message))
		}
	}
	if len(unless) > 0 {
		err = r.Ledger.NoteUnless(ctx, unless, r.Now())
	}
	return due, err
}

// Claim claims those of the messages that are due at this moment. Only what it
// returns may be removed. Everything else stays as it was.
func (r *Releaser) Claim(ctx context.Context, mailbox member.Mailbox, ids []message.ID, flagsFresh bool) ([]message.ID, error) {
	return r.Ledger.Claim(ctx, mailbox, ids, r.Now(), func(h *ledger.Held, e policy.Everyone) (ledger.Ruling, error) {
		return r.rule(h, e, flagsFresh), nil
	})
}

// Withdraw gives claims back whose removal was certainly not carried out.
func (r *Releaser) Withdraw(ctx context.Context, ids []message.ID) error {
	return r.Ledger.Withdraw(ctx, ids)
}

// Explain says for a held message whether it is due, and why or why not.
// flagsFresh is as in Due.
func (r *Releaser) Explain(ctx context.Context, h *ledger.Held, flagsFresh bool) (ledger.Ruling, error) {
	everyone, err := r.Ledger.Everyone(ctx, h.Mailbox)
	if err != nil {
		return ledger.Ruling{}, err
	}
	return r.rule(h, everyone, flagsFresh), nil
}

// rule asks policy about every deletion of a message: it is due only if each
// of them may be carried out, for each was made under a rule of its own. What
// cannot be decided waits; the other messages of the mailbox do not wait for
// it.
func (r *Releaser) rule(h *ledger.Held, everyone policy.Everyone, flagsFresh bool) ledger.Ruling {
	ruling := ledger.Ruling{Due: len(h.Deletions) > 0, Why: "nobody has deleted it"}
	mailbox := r.Mailbox(h.Mailbox, everyone)
	for _, d := range h.Deletions {
		one, err := r.ruleDeletion(h, d, mailbox, flagsFresh)
		if err != nil {
			one = ledger.Ruling{UnlessHolds: one.UnlessHolds, Why: fmt.Sprintf("rule %q cannot be decided: %v", d.Rule, err)}
		}
		ruling.UnlessHolds = ruling.UnlessHolds || one.UnlessHolds
		if ruling.Due {
			ruling.Due, ruling.Why = one.Due, one.Why
		}
	}
	return ruling
}

func (r *Releaser) ruleDeletion(h *ledger.Held, d ledger.Deletion, mailbox policy.MailboxFacts, flagsFresh bool) (ledger.Ruling, error) {
	facts := &policy.Facts{
		Op: d.Op, Folder: h.Message.Folder, Mailbox: mailbox, Now: r.Now(),
		Member:  policy.MemberFacts{Name: d.Member, Protocol: d.Protocol},
		Message: h.Facts(),
	}
	facts.Message.FlagsKnown = flagsFresh
	if d.Verdict == policy.Allow {
		return r.ruleAllowed(facts)
	}
	is, err := r.Policy.Releasable(d.Rule, policy.HeldFacts{
		Facts: facts, FirstDeleted: h.Message.HeldSince, UnlessSeen: h.Message.UnlessSeen, FlagsFresh: flagsFresh,
	})
	return ledger.Ruling{Due: is.Due, UnlessHolds: is.UnlessHolds, Why: is.Why}, err
}

// ruleAllowed is for a deletion that was allowed and did not happen upstream:
// it may be tried again as long as policy still allows it.
func (r *Releaser) ruleAllowed(f *policy.Facts) (ledger.Ruling, error) {
	if f.Message.Pinned {
		return ledger.Ruling{Why: "it is pinned"}, nil
	}
	decision, err := r.Policy.For(f.Mailbox, f.Member.Protocol).Decide(f)
	if err != nil {
		return ledger.Ruling{}, err
	}
	if decision.Verdict != policy.Allow {
		return ledger.Ruling{Why: "rule " + decision.Rule + " no longer allows it"}, nil
	}
	return ledger.Ruling{Due: true, Why: "rule " + decision.Rule + " allows it"}, nil
}

func identity(m ledger.Message) message.Identity {
	return message.Identity{ID: m.ID, UniqueID: m.UniqueID, Size: m.Size, Fingerprint: m.Fingerprint}
}
