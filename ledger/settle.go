package ledger

import (
	"context"
	"database/sql"
	"time"

	"mailguard/member"
	"mailguard/message"
)

// Settlement is what somebody who looked at a folder upstream found of messages
// that are claimed there. Nothing is said of messages in neither list.
type Settlement struct {
	At    time.Time     // of the look
	Gone  []message.UID // not there
	There []message.UID
	// Own are the claims of the session that settles, by when they were made.
	// It knows that it does nothing more about them.
	Own map[message.UID]time.Time
	// Since is a time before the look. What came back by an undo before it, and
	// is there, was seen.
	Since time.Time

	// ended is when it was noticed that the folder is another one by now, and has
	// been since At. Nobody looked.
	ended time.Time
}

// bypass is what the record says of what is gone without a claim, and when that
// was noticed.
func (s Settlement) bypass() (at time.Time, why string) {
	if !s.ended.IsZero() {
		return s.ended, "its folder has another UIDVALIDITY"
	}
	return s.At, "it is not in its folder any more"
}

// SettleFolder puts on record whether removals were carried out.
//
// What is gone went as it was claimed, or past the guard. Everybody's marks on
// it end, and it is hidden from nobody any more. Whoever got it back by an undo,
// and may not have seen it since, gets the copy instead: these are returned.
//
// The claim of what is there is withdrawn: of the settling session's own ones
// at once, of others' once no session can be carrying them out any more. A
// deletion that was allowed and did not happen is none: over IMAP the client
// goes on seeing the message, with the member's mark, and may try again. So it
// hides nothing, does not count as deleted by the member, and the message is
// held only if it was held before.
func (l *Ledger) SettleFolder(ctx context.Context, mailbox member.Mailbox, key FolderKey, s Settlement) (back []Returned, err error) {
	if len(s.Gone)+len(s.There) == 0 {
		return nil, nil
	}
	err = l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		in := []any{mailbox, key.Name, key.UIDValidity}
		if back, err = settleGone(ctx, tx, in, s); err != nil {
			return err
		}
		return settleThere(ctx, tx, in, s)
	})
	if err != nil {
		return nil, err
	}
	return back, nil
}

// inFolder is the condition that a message is one of a list in a folder. It
// takes mailbox, name, UIDVALIDITY and the list.
const inFolder = `mailbox_id = (SELECT id FROM mailboxes WHERE name = ?) AND folder = ? AND uid_validity = ?
	AND uid IN (SELECT value FROM json_each(?))`

func settleGone(ctx context.Context, tx *sql.Tx, in []any, s Settlement) ([]Returned, error) {
	if len(s.Gone) == 0 {
		return nil, nil
	}
	where := append(in[:3:3], uidList(s.Gone))
	noticed, why := s.bypass()
	if err := recordBypass(ctx, tx, noticed, why, inFolder, where...); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE messages SET gone_at = ?, gone_how = coalesce(claimed_how, '`+goneBypass+`')
		WHERE gone_at IS NULL AND `+inFolder, append([]any{millis(s.At)}, where...)...); err != nil {
		return nil, err
	}
	back, err := returnCopies(ctx, tx, inFolder, where)
	if err != nil {
		return nil, err
	}
	if err := forgetCopies(ctx, tx, where); err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM marks WHERE member_id IN
			(SELECT id FROM members WHERE mailbox_id = (SELECT id FROM mailboxes WHERE name = ?))
		AND folder = ? AND uid_validity = ? AND uid IN (SELECT value FROM json_each(?))`, where...)
	return back, err
}

// forgetCopies forgets the copies among messages that are gone, and those of
// them. Nobody can be given the one, or get the other back.
func forgetCopies(ctx context.Context, tx *sql.Tx, where []any) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM moved_copies WHERE "+inFolder, where...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM moved_copies WHERE message_id IN (SELECT id FROM messages WHERE "+inFolder+")", where...)
	return err
}

func settleThere(ctx context.Context, tx *sql.Tx, in []any, s Settlement) error {
	if len(s.There) == 0 {
		return nil
	}
	for _, c := range s.claims() {
		if err := unclaimThere(ctx, tx, append(in[:3:3], uidList(c.list), c.from, c.until)); err != nil {
			return err
		}
	}
	return forgetUndone(ctx, tx, append([]any{millis(s.Since)}, append(in[:3:3], uidList(s.There))...))
}

// unclaimThere takes claims back. It is given the messages and the time of the
// claim, from and until.
func unclaimThere(ctx context.Context, tx *sql.Tx, args []any) error {
	const claimed = inFolder + " AND gone_at IS NULL AND claimed_at BETWEEN ? AND ?"
	if _, err := tx.ExecContext(ctx, "DELETE FROM deletions WHERE "+notCarriedOut+
		" AND message_id IN (SELECT id FROM messages WHERE "+claimed+")", args...); err != nil {
		return err
	}
	// What was deleted by POP3 is out of its member's view all the same, and
	// waits as held.
	_, err := tx.ExecContext(ctx, `UPDATE messages SET claimed_at = NULL, claimed_how = NULL,
		held_since = coalesce(held_since, (SELECT min(at) FROM deletions WHERE message_id = messages.id AND protocol = 'pop3'))
		WHERE `+claimed, args...)
	return err
}

// claims are messages that are there, with the times of the claims that end.
type claims struct {
	list        []message.UID
	from, until int64
}

// claims sorts what is there by the time of the claims that may be withdrawn.
func (s Settlement) claims() []claims {
	own := make(map[int64][]message.UID)
	for _, uid := range s.There {
		if at, ok := s.Own[uid]; ok {
			own[millis(at)] = append(own[millis(at)], uid)
		}
	}
	all := []claims{{list: s.There, until: millis(s.At.Add(-claimLasts)) - 1}}
	for at, list := range own {
		all = append(all, claims{list, at, at})
	}
	return all
}
