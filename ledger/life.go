package ledger

import (
	"context"
	"database/sql"
	"math"
	"time"

	"mailguard/member"
	"mailguard/message"
)

// sweepEvery is how often all that is known of a folder's life is held against
// the folder.
const sweepEvery = 24 * time.Hour

// noteLife notes that something is put on record about one life of a folder.
func noteLife(ctx context.Context, tx execer, mailbox int64, key FolderKey, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO folder_lives (mailbox_id, folder, uid_validity, first_at, last_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (mailbox_id, folder, uid_validity) DO UPDATE SET last_at = max(last_at, excluded.last_at)`,
		mailbox, key.Name, key.UIDValidity, millis(at), millis(at))
	return err
}

// noteSweep notes that all that is known of a life was held against the folder,
// and that it is the folder's present one.
func noteSweep(ctx context.Context, tx execer, mailbox member.Mailbox, key FolderKey, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO folder_lives (mailbox_id, folder, uid_validity, first_at, last_at, swept_at)
		SELECT id, ?2, ?3, ?4, ?4, ?4 FROM mailboxes WHERE name = ?1
		ON CONFLICT (mailbox_id, folder, uid_validity) DO UPDATE SET
			last_at = max(last_at, excluded.last_at), swept_at = max(coalesce(swept_at, 0), excluded.swept_at)`,
		mailbox, key.Name, key.UIDValidity, millis(at))
	return err
}

// sweepDue reports whether what is known of a life should be held against the
// folder: nobody has for so long, or this life is a new one. Where nothing is
// known of any there is nothing to compare.
func sweepDue(ctx context.Context, q querier, w visitor, key FolderKey, now time.Time) (bool, error) {
	var known, due, other bool
	err := each(ctx, q, func(rows *sql.Rows) error {
		var validity uint32
		var last int64
		err := rows.Scan(&validity, &last)
		if validity == key.UIDValidity {
			known, due = true, now.Sub(fromMillis(last)) >= sweepEvery
		} else {
			other = true
		}
		return err
	}, "SELECT uid_validity, coalesce(swept_at, first_at) FROM folder_lives WHERE mailbox_id = ? AND folder = ?", w.mailbox, key.Name)
	return known && due || !known && other, err
}

// life is one life of one mailbox's folder.
type life struct {
	mailbox member.Mailbox
	key     FolderKey
	last    time.Time // when something was last put on record about it
}

// oldLives are the lives of folders that were last seen before a time, and
// before another life of the same folder was.
func oldLives(ctx context.Context, q querier, before time.Time) (old []life, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var f life
		var last int64
		err := rows.Scan(&f.mailbox, &f.key.Name, &f.key.UIDValidity, &last)
		f.last = fromMillis(last)
		old = append(old, f)
		return err
	}, `SELECT b.name, o.folder, o.uid_validity, o.last_at FROM folder_lives o JOIN mailboxes b ON b.id = o.mailbox_id
		WHERE o.last_at < ? AND EXISTS (SELECT 1 FROM folder_lives n
			WHERE n.mailbox_id = o.mailbox_id AND n.folder = o.folder AND n.last_at > o.last_at)`, millis(before))
	return old, err
}

// knownUIDs are the UIDs, in ascending order, of which anything is known in one
// life of a folder and that are not known to be gone: up to one, and what was
// on record before a time.
func knownUIDs(ctx context.Context, q querier, mailbox member.Mailbox, key FolderKey, upTo message.UID, before time.Time) ([]message.UID, error) {
	return uids(ctx, q, `WITH box AS (SELECT id FROM mailboxes WHERE name = ?1)
		SELECT uid FROM messages WHERE mailbox_id = (SELECT id FROM box) AND folder = ?2 AND uid_validity = ?3 AND uid <= ?4
			AND gone_at IS NULL AND first_seen < ?5
		UNION SELECT uid FROM marks WHERE member_id IN (SELECT n.id FROM members n JOIN box ON n.mailbox_id = box.id)
			AND folder = ?2 AND uid_validity = ?3 AND uid <= ?4
		UNION SELECT uid FROM moved_copies WHERE mailbox_id = (SELECT id FROM box) AND folder = ?2 AND uid_validity = ?3 AND uid <= ?4
			AND at < ?5
		ORDER BY 1`, mailbox, key.Name, key.UIDValidity, upTo, millis(before))
}

// lastUID is the highest UID that there can be (RFC 9051, 9, nz-number).
const lastUID = message.UID(math.MaxUint32)
