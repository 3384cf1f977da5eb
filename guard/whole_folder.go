package guard

import (
	"context"
	"fmt"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/policy"
)

// DecideFolder says what becomes of the deletion or renaming of a whole
// folder. Only where the outcome is Allowed, or Observed, may it go upstream;
// it is then on record. A folder with held or pinned messages, or with such a
// folder below it, stays where it is, and so does INBOX. The error wraps
// ErrTemporary: the folder must stay.
func (g *Guard) DecideFolder(ctx context.Context, v Visitor, stance Stance, o OpenedFolder, d Deletion) (FolderRuling, error) {
	r, err := g.ruleFolder(ctx, v, stance, o, d)
	if err == nil {
		err = g.Ledger.Audit(ctx, g.visit(v, g.Now()), ledger.Decision{
			Verdict: r.Decision.Verdict, Rule: r.Decision.Rule, Outcome: r.Outcome, Facts: r.Facts,
		}, g.Now())
	}
	switch {
	case err == nil:
	case stance == Watch || r.Outcome == policy.Refused: // what the client is told does not depend on it
		g.Log.Warn().Err(err).Str("mailbox", string(v.Mailbox)).Str("folder", o.Name).Msg("decision about a folder not recorded")
	default:
		return FolderRuling{}, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	if r.Outcome != policy.Refused {
		g.copies.forgetFolder(v.Mailbox, o.Name)
	}
	return r, nil
}

func (g *Guard) ruleFolder(ctx context.Context, v Visitor, stance Stance, o OpenedFolder, d Deletion) (FolderRuling, error) {
	r := FolderRuling{}
	if stance == Watch {
		r.Outcome = policy.Observed
	}
	facts, err := g.folderFacts(ctx, v, o, d)
	if err != nil {
		return r, err
	}
	r.Facts = facts
	if r.Decision, err = g.Policy.For(facts.Mailbox, v.Protocol).Decide(facts); err != nil || stance == Watch {
		return r, err
	}
	holds, err := g.Ledger.HoldsHeld(ctx, v.Mailbox, o.Name)
	if err != nil {
		return r, err
	}
	r.Outcome = policy.Refused // a deferral of a whole folder is one, whoever asks for it
	if r.Decision.Verdict == policy.Allow && !holds && o.Name != "INBOX" {
		r.Outcome = policy.Allowed
	}
	return r, nil
}

// FolderRenamed tells the ledger that the upstream has renamed a folder, and
// those below it with it.
func (g *Guard) FolderRenamed(ctx context.Context, mailbox member.Mailbox, from, to string) error {
	g.copies.forgetFolder(mailbox, from)
	g.copies.forgetFolder(mailbox, to)
	return g.Ledger.RenameFolder(ctx, mailbox, from, to)
}

// FolderGone tells the ledger that the upstream has deleted a folder, which a
// DELETE of this visitor's was: nothing in it can be hidden or held any more.
// Folders below it stay. What is not recorded is not known to be gone until a
// folder of that name is looked at.
func (g *Guard) FolderGone(ctx context.Context, v Visitor, folder string) error {
	g.copies.forgetFolder(v.Mailbox, folder)
	back, err := g.Ledger.FolderGone(ctx, v.Mailbox, folder, g.observes(g.Mailboxes.Lookup(v.Mailbox)))
	g.unhide(v.Mailbox, back)
	return err
}
