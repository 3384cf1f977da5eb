package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

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
	// Gone is told what was found to be gone, and which copies members have
	// again in its stead; nil: nobody wants to know.
	Gone func(member.Mailbox, ledger.FolderKey, []message.UID, []ledger.Returned)
	Now  func() time.Time
	Log  zerolog.Logger
}

// Releaser finds and claims what is due. Its methods may be called from any
// goroutine.
type Releaser struct {
	Options

	passes *passes
}

// New returns a releaser.
func New(o Options) *Releaser { return &Releaser{Options: o, passes: newPasses()} }

// listedAtOnce is how many messages a POP3 session releases at most: they are
// all looked at, claimed and removed while its client waits for the answer to
// QUIT.
const listedAtOnce = 500

// Due returns the held messages of a mailbox that POP3 can release now, in the
// order in which they became known. flagsFresh says that the upstream has no
// flags that anybody would have to read. It is a look and no promise: Claim
// asks again.
func (r *Releaser) Due(ctx context.Context, mailbox member.Mailbox, flagsFresh bool) ([]message.Identity, error) {
	held, err := r.review(ctx, mailbox, ledger.FolderKey{Name: inbox}, listedAtOnce, flagsFresh)
	var due []message.Identity
	for _, h := range held {
		due = append(due, identity(h.Message))
	}
	return due, err
}

// inbox is the only folder that POP3 shows.
const inbox = "INBOX"

// review returns those of a folder's messages that are due, or would be if their
// flags were known.
func (r *Releaser) review(ctx context.Context, mailbox member.Mailbox, key ledger.FolderKey, limit int, flagsFresh bool) ([]*ledger.Held, error) {
	now := r.Now()
	ids, err := r.Ledger.Candidates(ctx, mailbox, key, now, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	needFlags := make(map[message.ID]bool)
	held, err := r.Ledger.Review(ctx, mailbox, ids, now, func(h *ledger.Held, e policy.Everyone) (ledger.Ruling, error) {
		ruling := r.rule(h, e, flags{fresh: flagsFresh})
		needFlags[h.Message.ID] = ruling.NeedsFlags
		return ruling, nil
	})
	if key.UIDValidity == 0 { // POP3 cannot read them: they wait for somebody who can
		held = slices.DeleteFunc(held, func(h *ledger.Held) bool { return needFlags[h.Message.ID] })
	}
	return held, err
}

// flags are a message's flags of this moment, if anybody has read them.
type flags struct {
	fresh bool
	list  []string
}

// Claim claims those of the messages that are due at this moment. Only what it
// returns may be removed. Everything else stays as it was.
func (r *Releaser) Claim(ctx context.Context, mailbox member.Mailbox, ids []message.ID, flagsFresh bool) ([]message.ID, error) {
	return r.Ledger.Claim(ctx, mailbox, ids, r.Now(), func(h *ledger.Held, e policy.Everyone) (ledger.Ruling, error) {
		return r.rule(h, e, flags{fresh: flagsFresh}), nil
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
	return r.rule(h, everyone, flags{fresh: flagsFresh}), nil
}

// rule asks policy about every deletion of a message: it is due only if each
// of them may be carried out, for each was made under a rule of its own. What
// cannot be decided waits; the other messages of the mailbox do not wait for
// it.
func (r *Releaser) rule(h *ledger.Held, everyone policy.Everyone, now flags) ledger.Ruling {
	mailbox := r.Mailbox(h.Mailbox, everyone)
	if h.Message.PurgeReason != "" {
		return ledger.Ruling{Due: true, Why: "an administrator has it purged: " + h.Message.PurgeReason, Facts: facts(h, ledger.Deletion{}, mailbox, now, r.Now())}
	}
	all := ledger.Ruling{Why: "nobody has deleted it"}
	for i, d := range h.Deletions {
		one, err := r.ruleDeletion(h, d, mailbox, now)
		if err != nil {
			one = ledger.Ruling{UnlessHolds: one.UnlessHolds, Why: fmt.Sprintf("rule %q cannot be decided: %v", d.Rule, err)}
		}
		one.Rule = d.Rule
		if i > 0 {
			one = together(all, one)
		}
		all = one
	}
	return all
}

// together is the ruling about a message of which two deletions were ruled: the
// one that keeps it harder has the say, and it changes once both do.
func together(a, b ledger.Ruling) ledger.Ruling {
	says := a
	if keeps(b) > keeps(a) {
		says = b
	}
	says.UnlessHolds = a.UnlessHolds || b.UnlessHolds
	if says.Again = a.Again; b.Again.After(a.Again) {
		says.Again = b.Again
	}
	return says
}

// keeps is how hard a ruling keeps a message.
func keeps(r ledger.Ruling) int {
	switch {
	case r.Due:
		return 0
	case r.NeedsFlags:
		return 1
	default:
		return 2
	}
}

func (r *Releaser) ruleDeletion(h *ledger.Held, d ledger.Deletion, mailbox policy.MailboxFacts, now flags) (ledger.Ruling, error) {
	f := facts(h, d, mailbox, now, r.Now())
	approved := !h.Message.Approved.IsZero()
	if d.Verdict == policy.Allow && !approved {
		return r.ruleAllowed(f)
	}
	is, err := r.Policy.Releasable(d.Rule, policy.HeldFacts{
		Facts: f, FirstDeleted: h.Message.HeldSince, UnlessSeen: h.Message.UnlessSeen, FlagsFresh: now.fresh, Approved: approved,
	})
	return ledger.Ruling{Due: is.Due, UnlessHolds: is.UnlessHolds, Why: is.Why, NeedsFlags: is.NeedsFlags, Again: is.Again, Facts: f}, err
}

// facts are those that the release of a message rests on, with the op of one
// deletion.
func facts(h *ledger.Held, d ledger.Deletion, mailbox policy.MailboxFacts, read flags, now time.Time) *policy.Facts {
	f := &policy.Facts{
		Op: d.Op, Folder: h.Message.Folder, Mailbox: mailbox, Now: now,
		Member:  policy.MemberFacts{Name: d.Member, Protocol: d.Protocol},
		Message: h.Facts(),
	}
	f.Message.Flags, f.Message.FlagsKnown = read.list, read.fresh
	return f
}

// ruleAllowed is for a deletion that was allowed and did not happen upstream:
// it may be tried again as long as policy still allows it.
func (r *Releaser) ruleAllowed(f *policy.Facts) (ledger.Ruling, error) {
	if f.Message.Pinned {
		return ledger.Ruling{Why: "it is pinned"}, nil
	}
	decision, err := r.Policy.For(f.Mailbox, f.Member.Protocol).Decide(f)
	var missing *policy.FactError
	if errors.As(err, &missing) && missing.Fact == "message.flags" {
		return ledger.Ruling{Why: "waits until the message's flags can be read", NeedsFlags: true}, nil
	}
	if err != nil {
		return ledger.Ruling{}, err
	}
	if decision.Verdict != policy.Allow {
		return ledger.Ruling{Why: "rule " + decision.Rule + " no longer allows it"}, nil
	}
	return ledger.Ruling{Due: true, Why: "rule " + decision.Rule + " allows it", Facts: f}, nil
}

func identity(m ledger.Message) message.Identity {
	return message.Identity{ID: m.ID, UniqueID: m.UniqueID, Size: m.Size, Fingerprint: m.Fingerprint}
}
