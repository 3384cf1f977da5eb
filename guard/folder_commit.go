package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

// maxPending bounds what a session keeps while it cannot be recorded, of each
// kind. What is beyond it is lost: a release waits longer.
const maxPending = 10_000

var errNotOpen = errors.New("the folder was closed")

func (r FolderRuling) onRecord() ledger.FolderDecision {
	return ledger.FolderDecision{
		Seen: r.Seen, Verdict: r.Decision.Verdict, Rule: r.Decision.Rule, Outcome: r.Outcome, Facts: r.Facts,
	}
}

// Fetched notes that the member got a whole message: its size in octets, 0 not
// known, and its fingerprint, nil if none was taken. It goes on record with the
// next Save or Commit.
func (f *Folder) Fetched(uid message.UID, size int64, at time.Time, fingerprint *message.Fingerprint) {
	if len(f.fetches) < maxPending {
		f.fetches = append(f.fetches, ledger.FolderFetch{UID: uid, Size: size, At: at, Fingerprint: fingerprint})
	}
}

// Pending is how many things wait for Save. That the member uses the mailbox
// is one of them, from time to time.
func (f *Folder) Pending() int {
	n := len(f.fetches) + len(f.audit)
	if !f.guard.arrived(f.visitor) {
		n++
	}
	return n
}

// Save puts on record what was fetched and refused. If it fails, all of that
// waits for the next one.
func (f *Folder) Save(ctx context.Context) error {
	f.guard.arrive(f.visitor)
	if len(f.fetches)+len(f.audit) == 0 {
		return nil
	}
	_, err := f.record(ctx, nil, nil)
	return err
}

// Commit puts deletions on record, all in one transaction: the allowed ones are
// claimed, the deferred ones are hidden from the member, and these, the refused
// and the accepted ones lose their mark. What was copied before and is deferred
// was moved: the copy is remembered as by CommitMove. Only when Commit has returned nil may
// the client be told that what Deferred names is gone. Only when Commit has
// returned nil may anything be removed upstream, and only the messages that it
// names, in ascending order; what is allowed and not named is being removed by
// another session, or was pinned. The removal must be over, or never begin,
// within ten minutes: after fifteen others may do what is done to a message that
// nobody removes. Tell Settle what became of them. The error
// wraps ErrTemporary: nothing was recorded, nothing may be removed. In observe
// mode nothing depends on Commit, and there is no error.
func (f *Folder) Commit(ctx context.Context, rulings []FolderRuling) (remove []message.UID, err error) {
	if len(rulings) == 0 {
		return nil, nil
	}
	if f.blind != nil && !f.watching {
		return nil, f.blind
	}
	if f.member == nil && !f.watching {
		return nil, fmt.Errorf("%w: %w", ErrTemporary, errNotOpen)
	}
	remove, err = f.record(ctx, rulings, f.copiesOf(rulings))
	switch {
	case err == nil:
		f.guard.copies.forget(f.visitor.Mailbox, f.key, remove)
		f.guard.copies.forgetOwn(f.visitor, f.key, deferred(rulings))
		return remove, nil
	case f.watching:
		f.warn(err, "observed deletions not recorded")
		return nil, nil
	default:
		return nil, fmt.Errorf("%w: %w", ErrTemporary, err)
	}
}

// record writes rulings, the copies of deferred moves among them, and what
// waits to the ledger.
func (f *Folder) record(ctx context.Context, rulings []FolderRuling, copies []ledger.FolderCopy) (claimed []message.UID, err error) {
	r := ledger.FolderRecord{At: f.guard.Now(), Decisions: slices.Clone(f.audit), Fetches: f.fetches, Copies: copies}
	for _, ruling := range rulings {
		if ruling.stays() { // on record since Decide
			r.Unmark = append(r.Unmark, ruling.Seen.UID)
			continue
		}
		r.Decisions = append(r.Decisions, ruling.onRecord())
	}
	write := func() error {
		claimed, err = f.guard.Ledger.RecordFolder(ctx, f.visit(r.At), f.key, r)
		return err
	}
	if f.member == nil {
		err = write()
	} else {
		hide := deferred(rulings)
		err = f.guard.folders.write(ctx, f, func() (change, error) {
			return change{remove: slices.Concat(r.Unmark, hide), hide: hide}, write()
		})
	}
	if err != nil {
		return nil, err
	}
	f.audit, f.fetches = nil, nil
	for _, uid := range claimed {
		f.claims[uid] = r.At
	}
	slices.Sort(claimed)
	return claimed, nil
}

// Settle says of messages that were claimed, or marked, whether they are there:
// of those that Commit named once the upstream has answered, and at SELECT of
// those that Unsettled, Marks and Hidden name. Marks on what is gone end, and it
// is hidden no more; whoever had got it back by an Undo has the copy again. What
// is there keeps its mark and may be deleted again: at once if its removal was this
// session's, and else once it cannot be under way any more. Of what is not
// known, say nothing. If it fails, a later look settles the same.
func (f *Folder) Settle(ctx context.Context, gone, there []message.UID) error {
	g := f.guard
	own := make(map[message.UID]time.Time)
	for _, uid := range there {
		if at, ok := f.claims[uid]; ok {
			own[uid] = at
		}
	}
	back, err := g.Ledger.SettleFolder(ctx, f.visitor.Mailbox, f.key,
		ledger.Settlement{At: g.Now(), Gone: gone, There: there, Own: own, Since: f.since})
	if err != nil {
		f.warn(err, "what became of deletions is not recorded")
		return err
	}
	for _, uid := range slices.Concat(gone, there) {
		delete(f.claims, uid)
	}
	f.forget(gone, back)
	return nil
}

// forget forgets what is gone.
func (f *Folder) forget(gone []message.UID, back []ledger.Returned) {
	f.guard.folders.gone(f.place(), gone)
	f.guard.copies.forget(f.visitor.Mailbox, f.key, gone)
	f.guard.unhide(f.visitor.Mailbox, back)
}

// Gone is told by whoever releases what was found to be gone from a folder, and
// which copies members have again because of that: it is hidden no more from
// whoever has the folder open.
func (g *Guard) Gone(mailbox member.Mailbox, key ledger.FolderKey, gone []message.UID, back []ledger.Returned) {
	g.folders.gone(openFolder{mailbox, key}, gone)
	g.copies.forget(mailbox, key, gone)
	g.unhide(mailbox, back)
}

// unhide forgets that copies are hidden which came back to members because the
// originals are gone.
func (g *Guard) unhide(mailbox member.Mailbox, back []ledger.Returned) {
	for _, r := range back {
		g.folders.unhide(openFolder{mailbox, r.Folder}, r.Member, []message.UID{r.UID})
	}
}

func (f *Folder) warn(err error, what string) {
	f.guard.Log.Warn().Err(err).Str("mailbox", string(f.visitor.Mailbox)).Str("folder", f.opened.Name).Msg(what)
}
