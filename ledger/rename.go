package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"mailguard/member"
)

// errRenamed is the error of a renaming that no upstream carries out.
var errRenamed = errors.New("INBOX, or a folder to a place below itself, cannot have been renamed")

// RenameFolder gives the entries of a folder, and of those below it, their new
// name; the upstream has carried out the renaming. What the ledger still knew
// under the new name belongs to a folder that is no more. What was seen over
// POP3 has no folder that could be renamed.
func (l *Ledger) RenameFolder(ctx context.Context, mailbox member.Mailbox, from, to string) error {
	if from == "INBOX" || from == to || strings.HasPrefix(to, from+"/") {
		return errRenamed // RFC 9051, 6.3.6: renaming INBOX moves its messages
	}
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var box int64
		err := tx.QueryRowContext(ctx, "SELECT id FROM mailboxes WHERE name = ?", mailbox).Scan(&box)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := clearName(ctx, tx, box, from, to, l.now()); err != nil {
			return err
		}
		name := append([]any{to, from}, append([]any{box}, below(from)...)...)
		if _, err := tx.ExecContext(ctx, `UPDATE messages SET folder = ? || substr(folder, length(?) + 1)
			WHERE mailbox_id = ? AND uid IS NOT NULL AND `+isBelow, name...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE moved_copies SET folder = ? || substr(folder, length(?) + 1)
			WHERE mailbox_id = ? AND `+isBelow, name...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE folder_lives SET folder = ? || substr(folder, length(?) + 1)
			WHERE mailbox_id = ? AND `+isBelow, name...); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE marks SET folder = ? || substr(folder, length(?) + 1)
			WHERE member_id IN (SELECT id FROM members WHERE mailbox_id = ?) AND `+isBelow, name...)
		return err
	})
}

// clearName ends what is known of a name that the upstream gives to another
// folder, and of the names below it.
func clearName(ctx context.Context, tx *sql.Tx, mailbox int64, from, to string, at time.Time) error {
	c := clearing{mailbox: mailbox, at: at, how: goneBypass, where: isBelow + " AND NOT " + isBelow, names: append(below(to), below(from)...)}
	_, err := c.run(ctx, tx)
	return err
}
