package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mailguard/member"
)

// errDeleted is the error of a deletion that no upstream carries out.
var errDeleted = errors.New("INBOX cannot have been deleted")

// FolderGone ends what is known of a folder, in all its lives; the upstream has
// deleted it. Folders below it stay (RFC 9051, 6.3.5). Its messages went as
// policy allowed, or as it was observed. The copies of members whose undone
// moves had brought something back to this folder are returned.
func (l *Ledger) FolderGone(ctx context.Context, mailbox member.Mailbox, folder string, observed bool) (back []Returned, err error) {
	if folder == "INBOX" {
		return nil, errDeleted
	}
	c := clearing{at: l.now(), how: goneAllowed, where: "folder = ?", names: []any{folder}}
	if observed {
		c.how = goneObserved
	}
	err = l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT id FROM mailboxes WHERE name = ?", mailbox).Scan(&c.mailbox)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			back, err = c.run(ctx, tx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return back, nil
}

// clearing ends what is known of folders that are no more. The rows of their
// messages stay for the audit; they name no message any more.
type clearing struct {
	mailbox int64
	at      time.Time
	how     string // what nobody has claimed went
	where   string // the condition on the column folder, which takes names
	names   []any
}

func (c clearing) run(ctx context.Context, tx *sql.Tx) ([]Returned, error) {
	in := append([]any{c.mailbox}, c.names...)
	messages := "mailbox_id = ? AND uid IS NOT NULL AND " + c.where
	for _, query := range []string{
		"DELETE FROM moved_copies WHERE mailbox_id = ? AND " + c.where,
		"DELETE FROM moved_copies WHERE message_id IN (SELECT id FROM messages WHERE " + messages + ")",
		"DELETE FROM marks WHERE member_id IN (SELECT id FROM members WHERE mailbox_id = ?) AND " + c.where,
		"DELETE FROM folder_lives WHERE mailbox_id = ? AND " + c.where,
	} {
		if _, err := tx.ExecContext(ctx, query, in...); err != nil {
			return nil, err
		}
	}
	back, err := returnCopies(ctx, tx, messages, in)
	if err != nil {
		return nil, err
	}
	if c.how == goneBypass {
		if err := recordBypass(ctx, tx, c.at, "its folder's name was given to another", messages, in...); err != nil {
			return nil, err
		}
	}
	_, err = tx.ExecContext(ctx, "UPDATE messages SET uid = NULL, gone_at = coalesce(gone_at, ?), gone_how = coalesce(gone_how, claimed_how, ?) WHERE "+
		messages, append([]any{millis(c.at), c.how}, in...)...)
	return back, err
}
