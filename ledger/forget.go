package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"mailguard/message"
)

// forgetsAfter is how long what is gone is remembered at least: what went past
// the guard is known again that long when it comes back, and a session that is
// being opened may be a little older.
const forgetsAfter = comesBack + 24*time.Hour

// Forget deletes what is on record of messages that are gone since before a
// time, and returns of how many. The time is no later than 91 days ago, whatever
// before says.
//
// Gone are also all messages of a life of a folder that was last seen before
// that time, and after which the folder has another: also the held ones, which
// can never be released. What was fetched is kept by content: a row stays while
// an equal message is there. The audit is not touched, and what it speaks of
// keeps its bare row.
//
// It works in small pieces, and other writers come in between. After an error
// the next call does the rest.
func (l *Ledger) Forget(ctx context.Context, before time.Time) (n int, err error) {
	if latest := l.now().Add(-forgetsAfter); before.After(latest) {
		before = latest
	}
	if err := l.endOldLives(ctx, before); err != nil {
		return 0, err
	}
	for last := message.ID(0); ; {
		ids, err := l.forgettable(ctx, before, last)
		if err != nil || len(ids) == 0 {
			return n, err
		}
		if err := l.forgetMessages(ctx, ids, before); err != nil {
			return n, err
		}
		n += len(ids)
		last = ids[len(ids)-1]
	}
}

// endOldLives settles all that is known of the lives of folders that are over:
// it was gone when they were last seen.
func (l *Ledger) endOldLives(ctx context.Context, before time.Time) error {
	var old []life
	err := l.reading(func(q querier) error {
		var err error
		old, err = oldLives(ctx, q, before)
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := l.endLife(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) endLife(ctx context.Context, f life) error {
	var known []message.UID
	err := l.reading(func(q querier) error {
		var err error
		known, err = knownUIDs(ctx, q, f.mailbox, f.key, lastUID, l.now())
		return err
	})
	if err != nil {
		return err
	}
	if _, err := l.settleAll(ctx, f.mailbox, f.key, Settlement{At: f.last, ended: l.now()}, known); err != nil {
		return err
	}
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM folder_lives WHERE mailbox_id = (SELECT id FROM mailboxes WHERE name = ?)
			AND folder = ? AND uid_validity = ? AND last_at = ?`, f.mailbox, f.key.Name, f.key.UIDValidity, millis(f.last))
		return err
	})
}

// forgettable returns the next messages after one, by number, of which anything
// can be forgotten.
func (l *Ledger) forgettable(ctx context.Context, before time.Time, after message.ID) (ids []message.ID, err error) {
	err = l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var id message.ID
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT id FROM messages m WHERE gone_at < ? AND id > ?
				AND (NOT EXISTS (SELECT 1 FROM decisions WHERE message_id = m.id)
					OR EXISTS (SELECT 1 FROM fetches WHERE message_id = m.id) OR EXISTS (SELECT 1 FROM deletions WHERE message_id = m.id))
				AND NOT EXISTS (SELECT 1 FROM messages e WHERE e.mailbox_id = m.mailbox_id AND e.fingerprint = m.fingerprint
					AND e.size = m.size AND e.gone_at IS NULL)
			ORDER BY id LIMIT ?`, millis(before), after, chunk)
	})
	return ids, err
}

// forgetMessages deletes what is on record of messages that are still gone. A
// bare row that is left is not held: if its message came back, nobody would have
// deleted it.
func (l *Ledger) forgetMessages(ctx context.Context, ids []message.ID, before time.Time) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	const gone = " IN (SELECT m.id FROM json_each(?) w CROSS JOIN messages m ON m.id = w.value WHERE m.gone_at < ?)"
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, query := range []string{
			"DELETE FROM undone_moves WHERE message_id" + gone,
			"DELETE FROM undone_moves WHERE copy_id" + gone,
			"DELETE FROM moved_copies WHERE message_id" + gone,
			"DELETE FROM deletions WHERE message_id" + gone,
			"DELETE FROM fetches WHERE message_id" + gone,
			"UPDATE messages SET held_since = NULL WHERE held_since IS NOT NULL AND id" + gone,
			"DELETE FROM messages WHERE NOT EXISTS (SELECT 1 FROM decisions WHERE message_id = messages.id) AND id" + gone,
		} {
			if _, err := tx.ExecContext(ctx, query, string(list), millis(before)); err != nil {
				return err
			}
		}
		return nil
	})
}
