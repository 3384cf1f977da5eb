package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// atOnce is how many messages one pass looks at: a member's session does it
// between two commands of its client.
const atOnce = 100

// reviewAtOnce is how many messages a pass asks policy about.
const reviewAtOnce = 500

// tryAgain is when what could not be removed is tried again, and tryMismatched
// when what is another message is looked at again.
const (
	tryAgain      = time.Hour
	tryMismatched = 24 * time.Hour
)

// Passed is what a pass has done.
type Passed struct {
	Released int
	More     bool // there may be more to do at once
	Stuck    bool // something was due, and could not be released here
}

// pass is one look at a folder, with what is due released.
type pass struct {
	*Releaser

	mailbox member.Mailbox
	key     ledger.FolderKey
	remover Remover
}

// Pass releases what is due in one folder, through a remover that has it open;
// key is what the remover's server says of it. Each message is looked at first,
// and only what still is what was held is claimed: durably, for this pass alone,
// and with the conditions asked again. Then it is removed, and looked at again.
//
// Whatever fails on the way leaves the rest as it was: what was claimed and of
// which nobody knows whether it is gone is settled by a later look, never removed
// again unseen.
func (r *Releaser) Pass(ctx context.Context, mailbox member.Mailbox, key ledger.FolderKey, remover Remover) (Passed, error) {
	p := &pass{Releaser: r, mailbox: mailbox, key: key, remover: remover}
	done, err := p.run(ctx)
	if err != nil {
		return done, fmt.Errorf("release in %s: %w", key.Name, err)
	}
	return done, nil
}

func (p *pass) run(ctx context.Context) (Passed, error) {
	if err := p.settleOverdue(ctx); err != nil {
		return Passed{}, err
	}
	limit, err := p.quota(ctx)
	if err != nil {
		return Passed{}, err
	}
	held, err := p.review(ctx, p.mailbox, p.key, reviewAtOnce, false)
	if err != nil || len(held) == 0 {
		return Passed{}, err
	}
	rest := len(held) > limit
	held = held[:min(len(held), limit)] // the oldest deletions come first
	same, err := p.look(ctx, held)
	if err != nil || len(same) == 0 {
		return Passed{}, err
	}
	claimed, at, err := p.claim(ctx, same)
	if err != nil || len(claimed) == 0 {
		return Passed{}, err
	}
	released, err := p.remove(ctx, claimed, at)
	return Passed{Released: released, More: released == len(claimed) && rest, Stuck: released < len(claimed)}, err
}

// settleOverdue finds out what became of removals that nobody can be carrying
// out any more: a session, or the whole server, ended before it knew.
func (p *pass) settleOverdue(ctx context.Context) error {
	overdue, err := p.Ledger.Overdue(ctx, p.mailbox, p.key, p.Now())
	if err != nil || len(overdue) == 0 {
		return err
	}
	return p.settle(ctx, overdue, nil)
}

// settle looks what is left of messages and puts it on record. own are claims of
// this pass, by when they were made.
func (p *pass) settle(ctx context.Context, uids []message.UID, own map[message.UID]time.Time) error {
	at := p.Now()
	left, err := p.remover.Look(ctx, uids, false)
	if err != nil {
		return err
	}
	var there, marked []message.UID
	for _, f := range left {
		there = append(there, f.UID)
		if f.Deleted {
			marked = append(marked, f.UID)
		}
	}
	if len(marked) > 0 {
		if err := p.remover.Unmark(ctx, marked); err != nil {
			return err
		}
	}
	gone := without(uids, there)
	back, err := p.Ledger.SettleFolder(ctx, p.mailbox, p.key, ledger.Settlement{At: at, Gone: gone, There: there, Own: own})
	if err == nil && p.Gone != nil && len(gone) > 0 {
		p.Gone(p.mailbox, p.key, gone, back)
	}
	return err
}

// look reads what lies where the held messages should be, and returns those that
// are the same.
func (p *pass) look(ctx context.Context, held []*ledger.Held) ([]*found, error) {
	at := make(map[message.UID]*ledger.Held, len(held))
	var plain, hashed []message.UID
	for _, h := range held {
		at[h.Message.UID] = h
		if h.Message.Fingerprint == nil {
			plain = append(plain, h.Message.UID)
		} else {
			hashed = append(hashed, h.Message.UID)
		}
	}
	var same []*found
	for _, read := range []struct {
		uids    []message.UID
		headers bool
	}{{plain, false}, {hashed, true}} {
		if len(read.uids) == 0 {
			continue
		}
		seen, err := p.remover.Look(ctx, read.uids, read.headers)
		if err != nil {
			return nil, err
		}
		more, err := p.compare(ctx, at, read.uids, seen)
		if err != nil {
			return nil, err
		}
		same = append(same, more...)
	}
	return same, nil
}

// found is a held message that was found where it should be.
type found struct {
	*ledger.Held

	now message.Found
}

// compare sorts what a look has shown: what is gone is settled, and what is
// another message is left alone, for ever.
func (p *pass) compare(ctx context.Context, at map[message.UID]*ledger.Held, asked []message.UID, seen []message.Found) ([]*found, error) {
	var same []*found
	var there []message.UID
	for _, f := range seen {
		h := at[f.UID]
		if h == nil || slices.Contains(there, f.UID) {
			continue
		}
		there = append(there, f.UID)
		why := differs(&h.Message, &f)
		if why == "" {
			same = append(same, &found{h, f})
			continue
		}
		if err := p.mismatch(ctx, h, why); err != nil {
			return nil, err
		}
	}
	gone := without(asked, there)
	if len(gone) == 0 {
		return same, nil
	}
	back, err := p.Ledger.SettleFolder(ctx, p.mailbox, p.key, ledger.Settlement{At: p.Now(), Gone: gone})
	if err == nil && p.Gone != nil {
		p.Gone(p.mailbox, p.key, gone, back)
	}
	return same, err
}

// differs says in what a message is another one than what was held, or nothing.
func differs(m *ledger.Message, f *message.Found) string {
	switch {
	case m.Size > 0 && f.Size != m.Size:
		return fmt.Sprintf("it has %d octets, and had %d", f.Size, m.Size)
	case !m.InternalDate.IsZero() && !f.InternalDate.Equal(m.InternalDate):
		return fmt.Sprintf("it is of %s, and was of %s", f.InternalDate.UTC().Format(time.RFC3339), m.InternalDate.UTC().Format(time.RFC3339))
	case m.Fingerprint != nil && (f.Fingerprint == nil || *f.Fingerprint != *m.Fingerprint):
		return "its header is another one"
	}
	return ""
}

func (p *pass) mismatch(ctx context.Context, h *ledger.Held, why string) error {
	p.Log.Error().Str("mailbox", string(p.mailbox)).Str("folder", p.key.Name).Int64("number", int64(h.Message.ID)).
		Uint32("uid", uint32(h.Message.UID)).Str("why", why).Msg("message is not the one that was held: not released")
	err := p.Ledger.Mismatch(ctx, h.Message.ID, "it is not the message that was held: "+why, p.Now())
	return errors.Join(err, p.Ledger.LookLater(ctx, []message.ID{h.Message.ID}, p.Now().Add(tryMismatched)))
}

// claim claims what is due with the flags of now.
func (p *pass) claim(ctx context.Context, same []*found) ([]*found, time.Time, error) {
	ids := make([]message.ID, len(same))
	now := make(map[message.ID]*found, len(same))
	for i, f := range same {
		ids[i], now[f.Message.ID] = f.Message.ID, f
	}
	at := p.Now()
	claimed, err := p.Ledger.Claim(ctx, p.mailbox, ids, at, func(h *ledger.Held, e policy.Everyone) (ledger.Ruling, error) {
		f := now[h.Message.ID]
		if h.Message.UID != f.now.UID || h.Message.Folder != p.key.Name || h.Message.UIDValidity != p.key.UIDValidity {
			return ledger.Ruling{Why: "it has another place now"}, nil
		}
		return p.rule(h, e, flags{fresh: true, list: f.now.Flags}), nil
	})
	var list []*found
	for _, id := range claimed {
		list = append(list, now[id])
	}
	return list, at, err
}

// remove removes what was claimed, and returns how many messages went.
func (p *pass) remove(ctx context.Context, claimed []*found, at time.Time) (int, error) {
	var uids []message.UID
	own := make(map[message.UID]time.Time)
	for _, f := range claimed {
		uids, own[f.now.UID] = append(uids, f.now.UID), at
		p.Log.Info().Str("mailbox", string(p.mailbox)).Str("folder", p.key.Name).Int64("number", int64(f.Message.ID)).
			Uint32("uid", uint32(f.now.UID)).Msg("releasing a held message")
	}
	failed := p.remover.Remove(ctx, uids)
	if err := p.settle(ctx, uids, own); err != nil {
		return 0, errors.Join(failed, err) // what was claimed is settled by a later look
	}
	left, err := p.left(ctx, claimed)
	return len(claimed) - left, errors.Join(failed, err)
}

// left counts what is still there, and has it tried again later.
func (p *pass) left(ctx context.Context, claimed []*found) (int, error) {
	var still []message.ID
	for _, f := range claimed {
		h, err := p.Ledger.Find(ctx, f.Message.ID)
		if err != nil {
			return len(claimed), err
		}
		if h != nil && h.Message.Gone.IsZero() {
			still = append(still, f.Message.ID)
		}
	}
	return len(still), p.Ledger.LookLater(ctx, still, p.Now().Add(tryAgain))
}

// without are the UIDs of a list that are not in another.
func without(all, some []message.UID) []message.UID {
	in := make(map[message.UID]bool, len(some))
	for _, uid := range some {
		in[uid] = true
	}
	var rest []message.UID
	for _, uid := range all {
		if !in[uid] {
			rest = append(rest, uid)
		}
	}
	return rest
}
