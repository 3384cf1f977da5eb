package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"mailguard/member"
)

// NoteQuota notes how full a mailbox is, in whole percent; a negative number
// says that nobody knows.
func (l *Ledger) NoteQuota(ctx context.Context, mailbox member.Mailbox, used int, at time.Time) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE mailboxes SET quota_used = ?, quota_at = ? WHERE name = ?",
			sql.NullInt64{Int64: int64(used), Valid: used >= 0}, millis(at), mailbox)
		return err
	})
}

// quotaLasts is how long what was noted is believed.
const quotaLasts = time.Hour

// quotaUsed is how full a mailbox is, nil if nobody has looked lately.
func quotaUsed(ctx context.Context, q querier, mailbox member.Mailbox, now time.Time) (*int, error) {
	var used, at sql.NullInt64
	err := q.QueryRowContext(ctx, "SELECT quota_used, quota_at FROM mailboxes WHERE name = ?", mailbox).Scan(&used, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil || !used.Valid || now.Sub(fromMillis(at.Int64)) > quotaLasts {
		return nil, err
	}
	percent := int(used.Int64)
	return &percent, nil
}
