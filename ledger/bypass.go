package ledger

import (
	"context"
	"database/sql"
	"time"

	"mailguard/member"
)

// bypassesShown is how far back bypasses are counted for an administrator.
const bypassesShown = 30 * 24 * time.Hour

// recordBypass puts on record that messages disappear without a release: those
// that a condition names, that are not known to be gone, and whose removal
// nobody has claimed. It comes before they are marked. All that the ledger knew
// of counts: what it has a row of was listed, fetched or deleted through the guard.
func recordBypass(ctx context.Context, tx *sql.Tx, at time.Time, why, condition string, args ...any) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO decisions (at, mailbox_id, message_id, member, verdict, outcome, rule, facts, kind, why)
		SELECT ?, mailbox_id, id, '', '', '', '', '{}', '`+kindBypass+`', ? FROM messages
		WHERE gone_at IS NULL AND claimed_at IS NULL AND `+condition, append([]any{millis(at), why}, args...)...)
	return err
}

// bypassed counts the bypasses of each mailbox since a time.
func bypassed(ctx context.Context, q querier, since time.Time) (map[member.Mailbox]int, error) {
	counts := make(map[member.Mailbox]int)
	err := each(ctx, q, func(rows *sql.Rows) error {
		var name member.Mailbox
		var n int
		err := rows.Scan(&name, &n)
		counts[name] = n
		return err
	}, `SELECT b.name, count(*) FROM decisions d JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE d.kind = '`+kindBypass+`' AND d.at >= ? GROUP BY b.id`, millis(since))
	return counts, err
}
