package ledger

import (
	"context"
	"database/sql"
	"time"

	"mailguard/member"
	"mailguard/policy"
)

// stillCounts is how long somebody who was taken out of the configuration
// counts as a member: a slip in the file must not release anything.
const stillCounts = 7 * 24 * time.Hour

// Everyone returns who uses a mailbox, as far as the ledger knows. What the
// configuration says of times (LearnFor, AbsentAfter) is the caller's.
func (l *Ledger) Everyone(ctx context.Context, mailbox member.Mailbox) (policy.Everyone, error) {
	var e policy.Everyone
	err := l.reading(func(q querier) error {
		var err error
		e, err = loadEveryone(ctx, q, mailbox, l.now())
		return err
	})
	return e, err
}

func loadEveryone(ctx context.Context, q querier, mailbox member.Mailbox, now time.Time) (policy.Everyone, error) {
	var e policy.Everyone
	if err := loadUses(ctx, q, mailbox, now, &e); err != nil {
		return e, err
	}
	var err error
	if e.QuotaUsed, err = quotaUsed(ctx, q, mailbox, now); err != nil {
		return e, err
	}
	err = each(ctx, q, func(rows *sql.Rows) error {
		var name member.Name
		var removed sql.NullInt64
		err := rows.Scan(&name, &removed)
		switch {
		case !removed.Valid:
			e.Configured = append(e.Configured, name)
		case now.Sub(fromMillis(removed.Int64)) < stillCounts:
			e.Leaving = append(e.Leaving, name)
		}
		return err
	}, `SELECT c.name, c.removed_at FROM configured_members c JOIN mailboxes b ON b.id = c.mailbox_id
		WHERE b.name = ? ORDER BY c.name`, mailbox)
	return e, err
}

// loadUses loads who used the mailbox. Somebody who was taken out of the
// configuration, for whom it no longer waits, and who has not come since is
// nobody's fellow any more.
func loadUses(ctx context.Context, q querier, mailbox member.Mailbox, now time.Time, e *policy.Everyone) error {
	return each(ctx, q, func(rows *sql.Rows) error {
		var u policy.Use
		var since, last int64
		var left bool
		err := rows.Scan(&since, &u.Member, &u.Protocol, &last, &left)
		u.LastSeen, e.WatchedSince = fromMillis(last), fromMillis(since)
		if !left {
			e.Used = append(e.Used, u)
		}
		return err
	}, `SELECT b.watched_since, n.name, u.protocol, u.last_at, coalesce(c.removed_at <= ? AND u.last_at <= c.removed_at, 0)
		FROM mailboxes b JOIN members n ON n.mailbox_id = b.id JOIN uses u ON u.member_id = n.id
		LEFT JOIN configured_members c ON c.mailbox_id = b.id AND c.name = n.name
		WHERE b.name = ? ORDER BY n.name, u.protocol`, millis(now.Add(-stillCounts)), mailbox)
}
