package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Placed is where a message lies in a folder whose name is known otherwise.
type Placed struct {
	UIDValidity uint32
	UID         message.UID
}

// FolderCopy is a copy that the deferred move of a message made.
type FolderCopy struct {
	Original message.UID // in the folder of the record, which has a row of it
	Folder   string      // that the copy lies in
	Placed
}

func (c FolderCopy) in() FolderKey { return FolderKey{c.Folder, c.UIDValidity} }

// recordCopies remembers where the copies of deferred moves lie. A copy that
// is known already stays the copy of what it was.
func (f *folderRecorder) recordCopies(ctx context.Context, copies []FolderCopy) error {
	for i, c := range copies {
		if _, err := f.tx.ExecContext(ctx, `INSERT INTO moved_copies (mailbox_id, folder, uid_validity, uid, message_id, at)
			SELECT mailbox_id, ?, ?, ?, id, ? FROM messages
			WHERE mailbox_id = ? AND folder = ? AND uid_validity = ? AND uid = ? ON CONFLICT DO NOTHING`,
			c.Folder, c.UIDValidity, c.UID, millis(f.at), f.visitor.mailbox, f.key.Name, f.key.UIDValidity, c.Original); err != nil {
			return fmt.Errorf("record a copy: %w", err)
		}
		if i > 0 && c.in() == copies[i-1].in() {
			continue
		}
		if err := noteLife(ctx, f.tx, f.visitor.mailbox, c.in(), f.at); err != nil {
			return err
		}
	}
	return nil
}

// MovedCopies returns for held messages of a folder the copy that an earlier
// deferred move made in the folder dest. A copy that somebody has deleted in
// the meantime, that is being removed or that is known to be gone is left out:
// it is nobody's to rely on. Of several copies it is the latest, in the life of
// dest that its UIDVALIDITY names; 0 is any.
func (l *Ledger) MovedCopies(ctx context.Context, mailbox member.Mailbox, key FolderKey, wanted []message.UID, dest FolderKey) (map[message.UID]Placed, error) {
	found := make(map[message.UID]Placed)
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var original message.UID
			var p Placed
			err := rows.Scan(&original, &p.UIDValidity, &p.UID)
			found[original] = p
			return err
		}, `SELECT m.uid, c.uid_validity, c.uid
			FROM json_each(?) w CROSS JOIN messages m ON m.uid = w.value JOIN moved_copies c ON c.message_id = m.id
			LEFT JOIN messages k ON k.mailbox_id = c.mailbox_id AND k.folder = c.folder AND k.uid_validity = c.uid_validity AND k.uid = c.uid
			WHERE m.mailbox_id = (SELECT id FROM mailboxes WHERE name = ?) AND m.folder = ? AND m.uid_validity = ?
				AND c.folder = ? AND c.uid_validity = coalesce(?, c.uid_validity) AND m.held_since IS NOT NULL AND m.gone_at IS NULL
				AND k.held_since IS NULL AND k.claimed_at IS NULL AND k.gone_at IS NULL
			ORDER BY c.at, c.uid`, uidList(wanted), mailbox, key.Name, key.UIDValidity, dest.Name, sql.NullInt64{Int64: int64(dest.UIDValidity), Valid: dest.UIDValidity != 0})
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// original is a message that a member has moved away, by a deferred move.
type original struct {
	Placed

	id message.ID
}

// originalsOf are what such a move deleted for a member, in the folder dest,
// and that the copies are of, by the copies' UIDs. What is being removed is no
// use any more.
func originalsOf(ctx context.Context, q querier, v Visit, w visitor, key FolderKey, copies []message.UID, dest string) (map[message.UID]original, error) {
	found := make(map[message.UID]original)
	err := each(ctx, q, func(rows *sql.Rows) error {
		var uid message.UID
		var o original
		err := rows.Scan(&uid, &o.id, &o.UIDValidity, &o.UID)
		found[uid] = o
		return err
	}, `SELECT c.uid, m.id, m.uid_validity, m.uid
		FROM json_each(?) w CROSS JOIN moved_copies c ON c.uid = w.value
		JOIN messages m ON m.id = c.message_id JOIN deletions d ON d.message_id = m.id
		WHERE c.mailbox_id = ? AND c.folder = ? AND c.uid_validity = ? AND m.folder = ? AND m.uid IS NOT NULL
			AND m.gone_at IS NULL AND m.claimed_at IS NULL
			AND d.member_id = ? AND d.protocol = ? AND d.hides = 1 AND d.op = ?`,
		uidList(copies), w.mailbox, key.Name, key.UIDValidity, dest, w.member, v.Protocol, policy.IMAPMove)
	return found, err
}

// Originals returns for copies in a folder the messages of the folder dest
// that they were made from and that the member has deleted by a deferred move,
// by the copies' UIDs. What is gone, or being removed, is left out.
func (l *Ledger) Originals(ctx context.Context, v Visit, key FolderKey, copies []message.UID, dest string) (map[message.UID]Placed, error) {
	found := make(map[message.UID]Placed)
	err := l.reading(func(q querier) error {
		w, err := find(ctx, q, v)
		if err != nil {
			return err
		}
		all, err := originalsOf(ctx, q, v, w, key, copies, dest)
		for uid, o := range all {
			found[uid] = o.Placed
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Undo is a move of copies back to where their originals are.
type Undo struct {
	At     time.Time
	Copies []FolderDecision // each is recorded as deferred if its original comes back
	To     FolderKey        // the folder of the originals; those of another life stay hidden
}

// UndoMoves withdraws the member's deletion of the originals, hides the copies
// from the member in their stead and takes the member's marks off them, all in
// one durable transaction. Nobody has looked whether the originals are there:
// until somebody does (see SettleFolder), OpenFolder has them as unsettled. It returns the originals that came back, by their
// copies' UIDs; nothing is done about the other copies. An original stays held
// if somebody else has deleted it.
func (l *Ledger) UndoMoves(ctx context.Context, v Visit, key FolderKey, u Undo) (map[message.UID]Placed, error) {
	var back map[message.UID]Placed
	err := l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err := arrive(ctx, tx, v)
		if err != nil {
			return err
		}
		all, err := originalsOf(ctx, tx, v, w, key, u.copies(), u.To.Name)
		if err != nil {
			return err
		}
		f := &folderRecorder{tx: prepared(tx), visit: v, visitor: w, key: key, at: u.At}
		back, err = f.undo(ctx, u, all)
		if err = errors.Join(err, f.tx.close()); err != nil {
			return err
		}
		hidden := make([]message.UID, 0, len(back))
		for uid := range back {
			hidden = append(hidden, uid)
		}
		return unmark(ctx, tx, w, key, hidden)
	})
	if err != nil {
		return nil, err
	}
	return back, nil
}

func (u Undo) copies() []message.UID {
	all := make([]message.UID, len(u.Copies))
	for i, d := range u.Copies {
		all[i] = d.Seen.UID
	}
	return all
}

// undo gives originals back, each for one copy: where the member has several
// of one message the others stay.
func (f *folderRecorder) undo(ctx context.Context, u Undo, all map[message.UID]original) (map[message.UID]Placed, error) {
	if err := noteLife(ctx, f.tx, f.visitor.mailbox, f.key, f.at); err != nil {
		return nil, err
	}
	back, done := make(map[message.UID]Placed), make(map[message.ID]bool)
	for _, d := range u.Copies {
		o, ok := all[d.Seen.UID]
		if !ok || o.UIDValidity != u.To.UIDValidity || done[o.id] {
			continue
		}
		if err := withdraw(ctx, f.tx, o.id, f.visitor.member, f.visit.Protocol); err != nil {
			return nil, fmt.Errorf("withdraw a deletion: %w", err)
		}
		if err := f.hideCopy(ctx, d, o.id); err != nil {
			return nil, fmt.Errorf("record a deletion: %w", err)
		}
		back[d.Seen.UID], done[o.id] = o.Placed, true
	}
	return back, nil
}

// hideCopy hides a copy in whose stead its original has come back.
func (f *folderRecorder) hideCopy(ctx context.Context, d FolderDecision, original message.ID) error {
	d.Outcome = policy.Deferred
	if _, err := f.decision(ctx, d); err != nil {
		return err
	}
	copied, _, err := f.row(ctx, d.Seen, nil, f.at)
	if err != nil {
		return err
	}
	return f.rememberUndone(ctx, original, copied)
}

// withdraw takes a member's deletion away. The message is held since the first
// of those that are left.
func withdraw(ctx context.Context, tx execer, id message.ID, who int64, protocol member.Protocol) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM deletions WHERE message_id = ? AND member_id = ? AND protocol = ?",
		id, who, protocol); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE messages SET held_since = "+stillHeld+" WHERE id = ?", id)
	return err
}
