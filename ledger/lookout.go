package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Lookout is a folder with messages whose release is to be looked at, or whose
// removal was begun and can be under way no more.
type Lookout struct {
	Mailbox member.Mailbox
	Folder  FolderKey // a UIDVALIDITY of 0: what only POP3 has seen
}

// lookEvery is how long a message that is not due waits until it is looked at
// again: who uses the mailbox, how full it is and what policy says change, too,
// and nobody notes that on every message.
const lookEvery = time.Hour

const isWaiting = "held_since IS NOT NULL AND gone_at IS NULL AND claimed_at IS NULL"

// Lookouts are the folders of all mailboxes that are worth a look now.
func (l *Ledger) Lookouts(ctx context.Context, now time.Time) ([]Lookout, error) {
	var all []Lookout
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var o Lookout
			err := rows.Scan(&o.Mailbox, &o.Folder.Name, &o.Folder.UIDValidity)
			all = append(all, o)
			return err
		}, `SELECT b.name, o.folder, coalesce(o.uid_validity, 0) FROM (
				SELECT mailbox_id, folder, uid_validity FROM messages INDEXED BY messages_looked_at
					WHERE `+isWaiting+` AND look_at <= ?
				UNION SELECT mailbox_id, folder, uid_validity FROM messages INDEXED BY messages_unsettled
					WHERE claimed_at IS NOT NULL AND gone_at IS NULL AND claimed_at < ?
			) o JOIN mailboxes b ON b.id = o.mailbox_id ORDER BY 1, 2, 3`, millis(now), millis(now.Add(-claimLasts)))
	})
	return all, err
}

// Overdue returns the messages of a folder whose removal was begun so long ago
// that nobody can be carrying it out any more, and of which nobody knows
// whether it happened.
func (l *Ledger) Overdue(ctx context.Context, mailbox member.Mailbox, key FolderKey, now time.Time) (found []message.UID, err error) {
	err = l.reading(func(q querier) error {
		found, err = uids(ctx, q, `SELECT uid FROM messages INDEXED BY messages_unsettled
			WHERE mailbox_id = (SELECT id FROM mailboxes WHERE name = ?) AND folder = ? AND uid_validity = ? AND uid IS NOT NULL
				AND claimed_at IS NOT NULL AND gone_at IS NULL AND claimed_at < ?`,
			mailbox, key.Name, key.UIDValidity, millis(now.Add(-claimLasts)))
		return err
	})
	return found, err
}

// Candidates returns held messages of a folder whose release is to be looked at
// now, in the order in which they became known. A UIDVALIDITY of 0 asks for
// those that have a unique-id, by whatever else they are known.
func (l *Ledger) Candidates(ctx context.Context, mailbox member.Mailbox, key FolderKey, now time.Time, limit int) (ids []message.ID, err error) {
	in, args := "uid_validity = ? AND uid IS NOT NULL", []any{mailbox, key.Name, millis(now), key.UIDValidity, limit}
	if key.UIDValidity == 0 {
		in, args = "unique_id IS NOT NULL", []any{mailbox, key.Name, millis(now), limit}
	}
	err = l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var id message.ID
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT id FROM messages INDEXED BY messages_looked_at
			WHERE mailbox_id = (SELECT id FROM mailboxes WHERE name = ?) AND folder = ? AND `+isWaiting+`
				AND look_at <= ? AND `+in+` ORDER BY look_at, id LIMIT ?`, args...)
	})
	return ids, err
}

// Review asks rule about held messages and returns those that are due, or would
// be if their flags were known. The others are looked at again later. It is a
// look and no promise: Claim asks again.
func (l *Ledger) Review(ctx context.Context, mailbox member.Mailbox, ids []message.ID, at time.Time, rule func(*Held, policy.Everyone) (Ruling, error)) ([]*Held, error) {
	var due []*Held
	err := l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		due = nil
		held, err := loadHeld(ctx, tx, mailbox, ids)
		if err != nil {
			return err
		}
		everyone, err := loadEveryone(ctx, tx, mailbox, at)
		if err != nil {
			return err
		}
		for _, h := range held {
			ruling, err := rule(h, everyone)
			switch {
			case err != nil:
				return err
			case ruling.Due || ruling.NeedsFlags:
				due = append(due, h)
			default:
				if err := lookLater(ctx, tx, h.Message.ID, ruling, at); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}

// lookLater notes when a message that is not due is looked at again, and that
// its rule's unless holds.
func lookLater(ctx context.Context, tx execer, id message.ID, r Ruling, at time.Time) error {
	again := at.Add(lookEvery)
	if !r.Again.IsZero() && r.Again.Before(again) {
		again = r.Again
	}
	_, err := tx.ExecContext(ctx, `UPDATE messages SET look_at = ?, unless_seen = CASE WHEN ? THEN ? ELSE unless_seen END WHERE id = ?`,
		millis(again), r.UnlessHolds, millis(at), id)
	return err
}

// LookLater has messages looked at again at a time, and not before unless
// something becomes known of them: they are due, and it was tried in vain.
func (l *Ledger) LookLater(ctx context.Context, ids []message.ID, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE messages SET look_at = ? WHERE held_since IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
			millis(at), string(list))
		return err
	})
}

// Mismatch puts on record that what lies where a held message should be is
// another one: it is not touched.
func (l *Ledger) Mismatch(ctx context.Context, id message.ID, why string, at time.Time) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return recordEvent(ctx, tx, event{at: at, kind: kindFrozen, message: id, why: why})
	})
}
