package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
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

// What is hidden from a member is read from the member's deletions, by the
// index of those that hide something: others hide messages too, and most of what
// a member ever deleted is gone. Only deletions over IMAP are in it. The UIDs
// come in one row: ten thousand rows take three times as long to hand over as to
// find.
const (
	listHidden = `SELECT group_concat(uid) FROM deletions INDEXED BY deletions_hidden
		WHERE member_id = ? AND uid IS NOT NULL AND folder = ? AND uid_validity = ?`
	sumHidden = `SELECT d.folder, d.uid_validity, count(*), coalesce(sum(m.size), 0), sum(d.unseen)
		FROM deletions d INDEXED BY deletions_hidden CROSS JOIN messages m ON m.id = d.message_id
		WHERE d.member_id = ? AND d.uid IS NOT NULL`
	hiddenInFolder = " AND d.folder = ?" + byFolder
	byFolder       = " GROUP BY d.folder, d.uid_validity"
)

func hiddenUIDs(ctx context.Context, q querier, w visitor, key FolderKey) ([]message.UID, error) {
	var list sql.NullString // NULL where there is none
	if err := q.QueryRowContext(ctx, listHidden, w.member, key.Name, key.UIDValidity).Scan(&list); err != nil || !list.Valid {
		return nil, err
	}
	return parseUIDs(list.String)
}

// parseUIDs reads what group_concat made of UIDs, which promises no order.
func parseUIDs(list string) ([]message.UID, error) {
	found := make([]message.UID, 0, strings.Count(list, ",")+1)
	for text := range strings.SplitSeq(list, ",") {
		uid, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("a UID in the ledger: %w", err)
		}
		found = append(found, message.UID(uid))
	}
	slices.Sort(found)
	return found, nil
}

// HiddenIn counts what is hidden from a member in one folder.
func (l *Ledger) HiddenIn(ctx context.Context, v Visit, folder string) (HiddenCounts, error) {
	all, err := l.countHidden(ctx, v, sumHidden+hiddenInFolder, folder)
	return all[folder], err
}

// HiddenEverywhere counts what is hidden from a member in all folders, by the
// folder's name. A folder in which nothing is hidden is left out.
func (l *Ledger) HiddenEverywhere(ctx context.Context, v Visit) (map[string]HiddenCounts, error) {
	return l.countHidden(ctx, v, sumHidden+byFolder)
}

func (l *Ledger) countHidden(ctx context.Context, v Visit, query string, args ...any) (map[string]HiddenCounts, error) {
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
		}, query, append([]any{w.member}, args...)...)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// recordHiding takes a message out of the member's view over IMAP and holds
// it. A deletion that was only allowed, and may still be under way, hides from
// now on: it must not be taken back with its claim. Where it hides the message
// follows the message's row from here on, by a trigger.
func recordHiding(ctx context.Context, tx execer, v Visit, w visitor, d Decision, seen message.Seen, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deletions (message_id, member_id, protocol, op, verdict, rule, at, hides, unseen, folder, uid_validity, uid)
		SELECT id, ?, ?, ?, ?, ?, ?, 1, ?, folder, uid_validity, CASE WHEN gone_at IS NULL THEN uid END FROM messages WHERE id = ?
		ON CONFLICT (message_id, member_id, protocol) DO UPDATE SET op = excluded.op, verdict = excluded.verdict,
			rule = excluded.rule, at = excluded.at, hides = 1, unseen = excluded.unseen,
			folder = excluded.folder, uid_validity = excluded.uid_validity, uid = excluded.uid WHERE hides = 0`,
		w.member, v.Protocol, d.Facts.Op, d.Verdict, d.Rule, millis(at), unseen(seen.Flags), d.Message)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE messages SET held_since = coalesce(held_since, ?) WHERE id = ?", millis(at), d.Message)
	return err
}

func unseen(flags []string) bool {
	return !slices.ContainsFunc(flags, func(flag string) bool { return strings.EqualFold(flag, `\Seen`) })
}
