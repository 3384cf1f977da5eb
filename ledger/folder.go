package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"mailguard/member"
	"mailguard/message"
)

// FolderKey names one life of a folder: a folder that is made anew under the
// same name has another UIDVALIDITY, and nothing that is known of the old one
// is said of the new one's messages (RFC 9051, 2.3.1.1).
type FolderKey struct {
	Name        string // canonical: UTF-8, no namespace prefix, "/" between levels, "INBOX"
	UIDValidity uint32
}

// Folder is what the ledger knows of one member's view of a folder. It is a
// value: nothing in it changes after it was returned.
type Folder struct {
	Marks     []message.UID // this member's own \Deleted, in ascending order
	Unsettled []message.UID // claimed, or come back to this member by an undo, and nobody knows yet whether they are gone; in ascending order
	Hidden    []message.UID // deleted by this member, and not known to be gone; in ascending order
	SweepDue  bool          // what is known of the folder was not held against it for a day: see Sweep
}

// OpenFolder reads what is known of a folder. It writes nothing and waits for
// no commit. The errors are ErrUnreadable and ErrClosed.
func (l *Ledger) OpenFolder(ctx context.Context, v Visit, key FolderKey) (*Folder, error) {
	f := &Folder{}
	err := l.reading(func(q querier) error {
		w, err := find(ctx, q, v)
		if err != nil {
			return err
		}
		if f.Marks, err = uids(ctx, q, `SELECT uid FROM marks
			WHERE member_id = ? AND folder = ? AND uid_validity = ? ORDER BY uid`, w.member, key.Name, key.UIDValidity); err != nil {
			return err
		}
		if f.Hidden, err = hiddenUIDs(ctx, q, w, key); err != nil {
			return err
		}
		if f.Unsettled, err = unsettledUIDs(ctx, q, w, key); err != nil {
			return err
		}
		f.SweepDue, err = sweepDue(ctx, q, w, key, v.At)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// unsettledUIDs are what the member's session should look for.
func unsettledUIDs(ctx context.Context, q querier, w visitor, key FolderKey) ([]message.UID, error) {
	// The signs make SQLite take the index of what is unsettled, which is
	// nearly empty, and not the one of all that the folder holds.
	claimed, err := uids(ctx, q, `SELECT uid FROM messages
		WHERE mailbox_id = ? AND folder = ? AND claimed_at IS NOT NULL AND gone_at IS NULL
			AND +uid_validity = ? AND +uid IS NOT NULL`, w.mailbox, key.Name, key.UIDValidity)
	if err != nil {
		return nil, err
	}
	undone, err := undoneUIDs(ctx, q, w, key)
	all := append(claimed, undone...)
	slices.Sort(all)
	return slices.Compact(all), err
}

// uids are the answer to a query for UIDs.
func uids(ctx context.Context, q querier, query string, args ...any) (found []message.UID, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var uid message.UID
		err := rows.Scan(&uid)
		found = append(found, uid)
		return err
	}, query, args...)
	return found, err
}

// LookupFolder returns the messages with these UIDs, with what was done about
// them. What the ledger has no row of is left out. However many there are, it
// takes as many queries as for one.
func (l *Ledger) LookupFolder(ctx context.Context, mailbox member.Mailbox, key FolderKey, wanted []message.UID) (map[message.UID]*Held, error) {
	var all []*Held
	err := l.reading(func(q querier) error {
		var err error
		all, err = load(ctx, q, "b.name = ? AND m.folder = ? AND m.uid_validity = ? AND m.uid IN (SELECT value FROM json_each(?))",
			mailbox, key.Name, key.UIDValidity, uidList(wanted))
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make(map[message.UID]*Held, len(all))
	for _, h := range all {
		found[h.Message.UID] = h
	}
	return found, nil
}

// uidList is a list of UIDs for json_each.
func uidList(list []message.UID) string {
	if len(list) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(list) // numbers can always be written
	return string(text)
}

// isBelow is the condition that a folder is one, or lies below it. It takes
// the name three times.
const isBelow = "(folder = ? OR substr(folder, 1, length(?) + 1) = ? || '/')"

func below(name string) []any { return []any{name, name, name} }

// HoldsHeld reports whether a folder, or one below it, has messages that may
// not go with it: held ones, and pinned ones.
func (l *Ledger) HoldsHeld(ctx context.Context, mailbox member.Mailbox, folder string) (bool, error) {
	var holds bool
	err := l.reading(func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM messages
			WHERE mailbox_id = (SELECT id FROM mailboxes WHERE name = ?)
				AND (held_since IS NOT NULL OR pinned <> 0) AND gone_at IS NULL AND `+isBelow+`)`,
			append([]any{mailbox}, below(folder)...)...).Scan(&holds)
	})
	return holds, err
}
