package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailguard/ledger"
	"mailguard/message"
	"mailguard/policy"
)

// Copy is where the copy of a deferred move lies in the folder that it was
// moved to.
type Copy = ledger.Placed

// Original is where a message lies that was deleted by a deferred move.
type Original = ledger.Placed

var errWatching = errors.New("in observe mode nothing is hidden")

// MovedCopy returns for held messages of this folder the copy that an earlier
// deferred move, of whichever member, made in the folder dest: a later mover
// gets no new one. Copies that somebody has deleted, and those known to be
// gone, are left out. The caller makes sure that dest still has the
// UIDVALIDITY that it asks about (0: any), and gives these copies to CommitMove too. The error wraps
// ErrTemporary.
func (f *Folder) MovedCopy(ctx context.Context, uids []message.UID, dest string, destValidity uint32) (map[message.UID]Copy, error) {
	if f.watching {
		return nil, nil
	}
	if f.blind != nil {
		return nil, f.blind
	}
	copies, err := f.guard.Ledger.MovedCopies(ctx, f.visitor.Mailbox, f.key, uids, ledger.FolderKey{Name: dest, UIDValidity: destValidity})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return copies, nil
}

// CommitMove is Commit for a move of which anything is deferred: then all of
// it is, also what was allowed. The messages were copied to the folder dest;
// pairs are the copies' UIDs by their originals', as COPYUID names them, none
// where the upstream does not. When it returns nil the messages are hidden,
// and nothing may be removed. The error wraps ErrTemporary: nothing was
// recorded, the messages stay, and the copies with them.
func (f *Folder) CommitMove(ctx context.Context, rulings []FolderRuling, dest string, destValidity uint32, pairs map[message.UID]message.UID) error {
	if err := f.mayHide(); err != nil {
		return err
	}
	if len(rulings) == 0 {
		return nil
	}
	all := allDeferred(rulings)
	_, err := f.record(ctx, all, movedCopies(all, dest, destValidity, pairs))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	f.guard.copies.forgetOwn(f.visitor, f.key, deferred(all))
	return nil
}

// mayHide is nil where a session can hide messages.
func (f *Folder) mayHide() error {
	switch {
	case f.watching:
		return fmt.Errorf("%w: %w", ErrTemporary, errWatching)
	case f.blind != nil:
		return f.blind
	case f.member == nil:
		return fmt.Errorf("%w: %w", ErrTemporary, errNotOpen)
	default:
		return nil
	}
}

// allDeferred are the rulings with what was allowed deferred.
func allDeferred(rulings []FolderRuling) []FolderRuling {
	all := slices.Clone(rulings)
	for i, r := range all {
		if r.Outcome == policy.Allowed {
			all[i].Outcome = policy.Deferred
		}
	}
	return all
}

// movedCopies are the copies of what is deferred.
func movedCopies(rulings []FolderRuling, dest string, validity uint32, pairs map[message.UID]message.UID) (copies []ledger.FolderCopy) {
	for _, uid := range deferred(rulings) {
		if c := pairs[uid]; c != 0 && validity != 0 {
			copies = append(copies, ledger.FolderCopy{Original: uid, Folder: dest, Placed: Copy{UIDValidity: validity, UID: c}})
		}
	}
	return copies
}

// Originals returns for messages of this folder, the copies, the messages of
// the folder dest that this member has deleted by the moves which made them. To
// move such a copy there is an undo: see Undo. The error wraps ErrTemporary.
func (f *Folder) Originals(ctx context.Context, uids []message.UID, dest string) (map[message.UID]Original, error) {
	if f.watching {
		return nil, nil
	}
	if f.blind != nil {
		return nil, f.blind
	}
	originals, err := f.guard.Ledger.Originals(ctx, f.visit(f.guard.Now()), f.key, uids, dest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return originals, nil
}

// Undo is a move of copies back to dest, where their originals are: it
// withdraws the member's deletion of the originals and hides the copies
// instead, at once or not at all. The rulings are about the move of the copies
// out of this folder; what is refused or accepted among them is left alone.
//
// It returns the originals that came back, by the copies' UIDs: only those
// copies are hidden now, the others are still to be moved. Only originals of
// the folder's present UIDVALIDITY come back, and none that is being removed.
// Nobody has to look whether they are there: they are among Unsettled at the
// member's next SELECT of dest, and for one that is gone past the guard the
// member gets the copy back. Sessions of this member that
// have dest open are Stale: they show the originals from the next SELECT on. The
// error wraps
// ErrTemporary: nothing has changed.
func (f *Folder) Undo(ctx context.Context, rulings []FolderRuling, dest string, destValidity uint32) (map[message.UID]Original, error) {
	if err := f.mayHide(); err != nil {
		return nil, err
	}
	u := ledger.Undo{At: f.guard.Now(), To: ledger.FolderKey{Name: dest, UIDValidity: destValidity}}
	for _, r := range allDeferred(rulings) {
		if r.Outcome == policy.Deferred {
			u.Copies = append(u.Copies, r.onRecord())
		}
	}
	if len(u.Copies) == 0 {
		return nil, nil
	}
	back, err := f.undo(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
	return back, nil
}

func (f *Folder) undo(ctx context.Context, u ledger.Undo) (back map[message.UID]Original, err error) {
	var copies, originals []message.UID
	err = f.guard.folders.write(ctx, f, func() (change, error) {
		back, err = f.guard.Ledger.UndoMoves(ctx, f.visit(u.At), f.key, u)
		for uid, o := range back {
			copies, originals = append(copies, uid), append(originals, o.UID)
		}
		return change{remove: copies, hide: copies}, err
	})
	if err != nil {
		return nil, err
	}
	f.guard.folders.unhide(openFolder{f.visitor.Mailbox, u.To}, f.visitor.Member, originals)
	f.guard.copies.forgetOwn(f.visitor, f.key, copies)
	return back, nil
}
