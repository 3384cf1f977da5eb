package ledger

import (
	"context"
	"database/sql"

	"mailguard/member"
	"mailguard/message"
)

// Returned is the copy that a member has got back, in the folder where it lies:
// the original, for which it was hidden, is gone.
type Returned struct {
	Member member.Name
	Folder FolderKey
	UID    message.UID
}

// rememberUndone remembers that an original came back to the member for a copy,
// and that nobody has looked yet whether it is there.
func (f *folderRecorder) rememberUndone(ctx context.Context, original, copied message.ID) error {
	_, err := f.tx.ExecContext(ctx, `INSERT INTO undone_moves (member_id, message_id, copy_id, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (member_id, message_id) DO UPDATE SET copy_id = excluded.copy_id, at = excluded.at`,
		f.visitor.member, original, copied, millis(f.at))
	return err
}

// deletedAgain forgets that an original came back to the member, who has seen
// it since and has deleted it.
func (f *folderRecorder) deletedAgain(ctx context.Context, original message.ID) error {
	_, err := f.tx.ExecContext(ctx, "DELETE FROM undone_moves WHERE member_id = ? AND message_id = ?", f.visitor.member, original)
	return err
}

// undoneUIDs are the originals in a folder that came back to the member and
// were not seen since.
func undoneUIDs(ctx context.Context, q querier, w visitor, key FolderKey) ([]message.UID, error) {
	return uids(ctx, q, `SELECT m.uid FROM undone_moves u CROSS JOIN messages m ON m.id = u.message_id
		WHERE u.member_id = ? AND m.folder = ? AND m.uid_validity = ? AND m.uid IS NOT NULL AND m.gone_at IS NULL`,
		w.member, key.Name, key.UIDValidity)
}

// forgetUndone forgets the undone moves of originals that were seen. It takes
// the time that the undo was made before, and what inFolder takes.
func forgetUndone(ctx context.Context, tx *sql.Tx, args []any) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM undone_moves WHERE at < ? AND "+undoneOf(inFolder), args...)
	return err
}

// undoneOf is the condition that the original of an undone move is one of the
// messages that a condition names. There are few undone moves, and mostly none:
// so they are looked through, and not the messages.
func undoneOf(condition string) string {
	return "EXISTS (SELECT 1 FROM messages WHERE id = undone_moves.message_id AND " + condition + ")"
}

// undoneMove is a move that a member has undone.
type undoneMove struct {
	Returned

	copied message.ID
	member int64
}

// returnCopies gives members the copies back whose originals, among the
// messages that a condition names, are gone: it withdraws the deletion by which
// an undo has hidden them. A copy that is gone too cannot come back.
func returnCopies(ctx context.Context, tx *sql.Tx, condition string, args []any) ([]Returned, error) {
	var undone []undoneMove
	if err := each(ctx, tx, func(rows *sql.Rows) error {
		var u undoneMove
		err := rows.Scan(&u.copied, &u.member, &u.Member, &u.Folder.Name, &u.Folder.UIDValidity, &u.UID)
		undone = append(undone, u)
		return err
	}, `SELECT k.id, n.id, n.name, k.folder, k.uid_validity, k.uid
		FROM undone_moves CROSS JOIN messages k ON k.id = undone_moves.copy_id JOIN members n ON n.id = undone_moves.member_id
		WHERE k.gone_at IS NULL AND k.uid IS NOT NULL AND `+undoneOf(condition), args...); err != nil {
		return nil, err
	}
	var back []Returned
	for _, u := range undone {
		if err := withdraw(ctx, tx, u.copied, u.member, member.IMAP); err != nil {
			return nil, err
		}
		back = append(back, u.Returned)
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM undone_moves WHERE "+undoneOf(condition), args...)
	return back, err
}
