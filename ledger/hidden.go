package ledger

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"mailguard/message"
)

// HiddenCount counts what a member has deleted by IMAP in one life of a folder
// and what is not known to be gone.
type HiddenCount struct {
	UIDValidity uint32 // of the folder at that time
	Messages    int
	Octets      int64 // messages of unknown size count as empty
	Unseen      int   // those that had no \Seen when they were deleted
}

// HiddenCounts are the counts for every life of a folder in which there are
// any, in no order.
type HiddenCounts []HiddenCount

// In returns the count for the folder that has this UIDVALIDITY: zero if
// nothing is hidden in it. Nothing of another life is.
func (c HiddenCounts) In(uidValidity uint32) HiddenCount {
	for _, one := range c {
		if one.UIDValidity == uidValidity {
			return one
		}
	}
	return HiddenCount{UIDValidity: uidValidity}
}

// hiddenRows are the messages that are hidden from a member. They are few
// among all that the mailbox has, and among all that the member ever deleted:
// so it must be read by this index, and with the messages first. It takes the
// member, the protocol and the mailbox.
const hiddenRows = ` FROM messages m INDEXED BY messages_hidden
	CROSS JOIN deletions d ON d.message_id = m.id AND d.member_id = ? AND d.protocol = ? AND d.hides = 1
	WHERE m.held_since IS NOT NULL AND m.gone_at IS NULL AND m.uid IS NOT NULL AND m.mailbox_id = ?`

func (w visitor) hidden(v Visit) []any { return []any{w.member, v.Protocol, w.mailbox} }

func hiddenUIDs(ctx context.Context, q querier, v Visit, w visitor, key FolderKey) ([]message.UID, error) {
	return uids(ctx, q, "SELECT m.uid"+hiddenRows+" AND m.folder = ? AND m.uid_validity = ? ORDER BY m.uid",
		append(w.hidden(v), key.Name, key.UIDValidity)...)
}

// HiddenIn counts what is hidden from a member in one folder.
func (l *Ledger) HiddenIn(ctx context.Context, v Visit, folder string) (HiddenCounts, error) {
	all, err := l.countHidden(ctx, v, " AND m.folder = ?", folder)
	return all[folder], err
}

// HiddenEverywhere counts what is hidden from a member in all folders, by the
// folder's name. A folder in which nothing is hidden is left out.
func (l *Ledger) HiddenEverywhere(ctx context.Context, v Visit) (map[string]HiddenCounts, error) {
	return l.countHidden(ctx, v, "")
}

func (l *Ledger) countHidden(ctx context.Context, v Visit, where string, args ...any) (map[string]HiddenCounts, error) {
	all := make(map[string]HiddenCounts)
	err := l.reading(func(q querier) error {
		w, err := find(ctx, q, v)
		if err != nil {
			return err
		}
		return each(ctx, q, func(rows *sql.Rows) error {
			var folder string
			var c HiddenCount
			err := rows.Scan(&folder, &c.UIDValidity, &c.Messages, &c.Octets, &c.Unseen)
			all[folder] = append(all[folder], c)
			return err
		}, "SELECT m.folder, m.uid_validity, count(*), coalesce(sum(m.size), 0), sum(d.unseen)"+hiddenRows+where+
			" GROUP BY m.folder, m.uid_validity", append(w.hidden(v), args...)...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// recordHiding takes a message out of the member's view over IMAP and holds
// it. A deletion that was only allowed, and may still be under way, hides from
// now on: it must not be taken back with its claim.
func recordHiding(ctx context.Context, tx execer, v Visit, w visitor, d Decision, seen message.Seen, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deletions (message_id, member_id, protocol, op, verdict, rule, at, hides, unseen)
		VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)
		ON CONFLICT (message_id, member_id, protocol) DO UPDATE SET op = excluded.op, verdict = excluded.verdict,
			rule = excluded.rule, at = excluded.at, hides = 1, unseen = excluded.unseen WHERE hides = 0`,
		d.Message, w.member, v.Protocol, d.Facts.Op, d.Verdict, d.Rule, millis(at), unseen(seen.Flags))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE messages SET held_since = coalesce(held_since, ?) WHERE id = ?", millis(at), d.Message)
	return err
}

func unseen(flags []string) bool {
	return !slices.ContainsFunc(flags, func(flag string) bool { return strings.EqualFold(flag, `\Seen`) })
}
