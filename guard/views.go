package guard

import (
	"context"
	"fmt"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Hidden are the messages, in ascending order, that this session does not show,
// or shows no longer than until it may say so: what the member had deleted
// when the folder was opened, what this session has hidden since, and what
// Hides has returned. Of what is known to be gone it has nothing. In observe
// mode there are none.
func (f *Folder) Hidden() []message.UID {
	if f.member == nil {
		return nil
	}
	return f.guard.folders.hidden(f)
}

// Hides are the messages, in ascending order, that other sessions of this
// member have hidden since the folder was opened or Hides was last called. Call
// it when EXPUNGE may be sent: the client sees them until it is told. What came
// back by Undo is not taken back here: see Stale.
func (f *Folder) Hides() []message.UID {
	if f.member == nil {
		return nil
	}
	return f.guard.folders.hides(f)
}

// Stale reports whether something came back to the folder, by an Undo or by an
// administrator, that this session does not show: only another SELECT can. It may be called from any
// goroutine.
func (f *Folder) Stale() bool {
	return f != nil && f.guard.folders.isStale(f)
}

// Returned says that an administrator has given messages back to a member by
// Ledger.Restore. Whoever of the member's sessions has the folder open is stale:
// what came back is there at the next SELECT. It may be called from any goroutine.
func (g *Guard) Returned(mailbox member.Mailbox, key ledger.FolderKey, who member.Name, back []message.UID) {
	g.folders.unhide(openFolder{mailbox, key}, who, back)
}

// Deferred are the messages that are hidden once these rulings are committed,
// in their order.
func (f *Folder) Deferred(rulings []FolderRuling) []message.UID { return deferred(rulings) }

func deferred(rulings []FolderRuling) (list []message.UID) {
	for _, r := range rulings {
		if r.Outcome == policy.Deferred {
			list = append(list, r.Seen.UID)
		}
	}
	return list
}

// HiddenCount counts what is hidden from a member in one life of a folder.
type HiddenCount = ledger.HiddenCount

// HiddenCounts are those of all lives of a folder; In gives that of one, which
// the UIDVALIDITY of a STATUS response names.
type HiddenCounts = ledger.HiddenCounts

// HiddenIn counts what is hidden from a member in a folder that is not open.
// The counts are of what the guard knows: what is gone past it counts until a
// SELECT shows that it is. The error wraps ErrTemporary.
func (g *Guard) HiddenIn(ctx context.Context, v Visitor, folder string) (HiddenCounts, error) {
	counts, err := g.Ledger.HiddenIn(ctx, g.visit(v, g.Now()), folder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return counts, nil
}

// HiddenEverywhere is HiddenIn for all folders of the mailbox at once, by the
// folder's canonical name. Folders in which nothing is hidden are left out.
func (g *Guard) HiddenEverywhere(ctx context.Context, v Visitor) (map[string]HiddenCounts, error) {
	counts, err := g.Ledger.HiddenEverywhere(ctx, g.visit(v, g.Now()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return counts, nil
}
