package ledger

import (
	"context"
	"database/sql"

	"mailguard/message"
)

// Mark sets and takes away a member's own marks, and returns once that is on
// the disk. A UID that is in both lists is not marked afterwards. A mark needs
// no message that the ledger knows. Marks of a folder of the same name and
// another UIDVALIDITY are dropped, whose ever they are: that folder is no more.
func (l *Ledger) Mark(ctx context.Context, v Visit, key FolderKey, add, remove []message.UID) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err := arrive(ctx, tx, v)
		if err != nil {
			return err
		}
		if err := dropOldMarks(ctx, tx, w, key); err != nil {
			return err
		}
		if err := noteLife(ctx, tx, w.mailbox, key, v.At); err != nil {
			return err
		}
		if len(add) > 0 {
			if _, err := tx.ExecContext(ctx, `INSERT INTO marks (member_id, folder, uid_validity, uid)
				SELECT ?, ?, ?, value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`,
				w.member, key.Name, key.UIDValidity, uidList(add)); err != nil {
				return err
			}
		}
		return unmark(ctx, tx, w, key, remove)
	})
}

func unmark(ctx context.Context, tx *sql.Tx, w visitor, key FolderKey, list []message.UID) error {
	if len(list) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM marks WHERE member_id = ? AND folder = ? AND uid_validity = ?
		AND uid IN (SELECT value FROM json_each(?))`, w.member, key.Name, key.UIDValidity, uidList(list))
	return err
}

func dropOldMarks(ctx context.Context, tx *sql.Tx, w visitor, key FolderKey) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM marks WHERE member_id IN (SELECT id FROM members WHERE mailbox_id = ?)
		AND folder = ? AND (uid_validity < ? OR uid_validity > ?)`, w.mailbox, key.Name, key.UIDValidity, key.UIDValidity)
	return err
}
