package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"mailguard/message"
)

// POP3 and IMAP name a message in their own ways, and make a row of it each.
// Where the server's unique-ids say which place in the INBOX they mean, the
// rows are joined: what was done by either protocol is then known of one
// message. Two messages must never be joined, so it takes everything that can
// be asked for: the place is one of a life of the INBOX that IMAP has shown,
// both know the size and it is the same, and fingerprints, where both have
// one, are equal. What is not joined stays apart, and waits.
//
// The row of POP3 stays, with its number, which sessions know. The one of IMAP
// goes into it; IMAP's sessions know messages by their UIDs.

const inboxName = "INBOX"

// joinListed joins the rows of a listing's messages, those which were not
// joined when they were read.
func joinListed(ctx context.Context, tx *sql.Tx, mailbox int64, d *difference) error {
	named := make(map[message.UniqueID]int)
	for _, m := range d.listing {
		named[m.UniqueID]++
	}
	var lives map[uint32]bool
	for i, m := range d.listing {
		if d.ids[i] == 0 || d.joined[d.ids[i]] || named[m.UniqueID] > 1 {
			continue
		}
		place, ok := m.UniqueID.Place()
		if !ok {
			continue
		}
		if lives == nil {
			var err error
			if lives, err = inboxLives(ctx, tx, mailbox); err != nil {
				return err
			}
		}
		if !lives[place.UIDValidity] {
			continue
		}
		if _, err := joinPlace(ctx, tx, mailbox, d.ids[i], place); err != nil {
			return fmt.Errorf("join: %w", err)
		}
	}
	return nil
}

func inboxLives(ctx context.Context, q querier, mailbox int64) (map[uint32]bool, error) {
	lives := make(map[uint32]bool)
	return lives, each(ctx, q, func(rows *sql.Rows) error {
		var validity uint32
		err := rows.Scan(&validity)
		lives[validity] = true
		return err
	}, "SELECT uid_validity FROM folder_lives WHERE mailbox_id = ? AND folder = ?", mailbox, inboxName)
}

// joinPlace joins the row of POP3 with the one that IMAP has of a place, if
// there is one.
func joinPlace(ctx context.Context, tx execer, mailbox int64, listed message.ID, place message.Place) (bool, error) {
	var seen sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT max(i.id) FROM messages i, messages p
		WHERE i.mailbox_id = ? AND i.folder = ? AND i.uid_validity = ? AND i.uid = ? AND p.id = ? AND `+areOne,
		mailbox, inboxName, place.UIDValidity, place.UID, listed).Scan(&seen)
	if err != nil || !seen.Valid {
		return false, err
	}
	return true, joinRows(ctx, tx, listed, message.ID(seen.Int64))
}

// areOne is the condition that the rows p, of POP3, and i, of IMAP, are of one
// message, once their names say so.
const areOne = `p.mailbox_id = i.mailbox_id AND p.unique_id IS NOT NULL AND p.uid IS NULL AND i.unique_id IS NULL
	AND p.gone_at IS NULL AND i.gone_at IS NULL AND p.size = i.size
	AND coalesce(p.fingerprint = i.fingerprint, 1)`

// joinUID joins the row that IMAP has of a message in the INBOX with the one of
// POP3, if there is exactly one that its place may be named by. It returns the
// row that is left.
func joinUID(ctx context.Context, tx execer, mailbox int64, seen message.ID, place message.Place) (message.ID, error) {
	names := place.UniqueIDs()
	var n int
	var listed sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT count(*), max(p.id) FROM messages p, messages i
		WHERE p.mailbox_id = ? AND p.unique_id IN (?, ?, ?) AND i.id = ? AND `+areOne,
		mailbox, names[0], names[1], names[2], seen).Scan(&n, &listed)
	if err != nil || n != 1 {
		return seen, err
	}
	return message.ID(listed.Int64), joinRows(ctx, tx, message.ID(listed.Int64), seen)
}

// joinRows moves all that is known of a message under the row of IMAP to the
// one of POP3. Of what both say the earlier stands, and what keeps a message.
func joinRows(ctx context.Context, tx execer, listed, seen message.ID) error {
	for _, query := range []string{
		`INSERT INTO fetches (message_id, member_id, protocol, at, left_alone_at)
			SELECT ?1, member_id, protocol, at, left_alone_at FROM fetches WHERE message_id = ?2 ON CONFLICT DO NOTHING`,
		"DELETE FROM fetches WHERE message_id = ?2 AND ?1",
		`INSERT INTO deletions (message_id, member_id, protocol, op, verdict, rule, at, hides, unseen, folder, uid_validity, uid)
			SELECT ?1, member_id, protocol, op, verdict, rule, at, hides, unseen, folder, uid_validity, uid
			FROM deletions WHERE message_id = ?2 ON CONFLICT DO NOTHING`,
		"DELETE FROM deletions WHERE message_id = ?2 AND ?1",
		"UPDATE decisions SET message_id = ?1 WHERE message_id = ?2",
		"UPDATE moved_copies SET message_id = ?1 WHERE message_id = ?2",
		"UPDATE undone_moves SET message_id = ?1 WHERE message_id = ?2",
		"UPDATE undone_moves SET copy_id = ?1 WHERE copy_id = ?2",
	} {
		if _, err := tx.ExecContext(ctx, query, listed, seen); err != nil {
			return err
		}
	}
	return joinColumns(ctx, tx, listed, seen)
}

// joinColumns is in three steps, since no two rows may name one place.
func joinColumns(ctx context.Context, tx execer, listed, seen message.ID) error {
	var validity, uid int64
	if err := tx.QueryRowContext(ctx, "SELECT uid_validity, uid FROM messages WHERE id = ?", seen).Scan(&validity, &uid); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE messages AS p SET
			internal_date = coalesce(p.internal_date, i.internal_date), fingerprint = coalesce(p.fingerprint, i.fingerprint),
			first_seen = min(p.first_seen, i.first_seen),
			held_since = min(coalesce(p.held_since, i.held_since), coalesce(i.held_since, p.held_since)),
			pinned = max(p.pinned, i.pinned),
			unless_seen = max(coalesce(p.unless_seen, i.unless_seen), coalesce(i.unless_seen, p.unless_seen)),
			claimed_at = coalesce(p.claimed_at, i.claimed_at), claimed_how = coalesce(p.claimed_how, i.claimed_how),
			approved_at = coalesce(p.approved_at, i.approved_at), purge_reason = coalesce(p.purge_reason, i.purge_reason),
			sender = coalesce(p.sender, i.sender), subject = coalesce(p.subject, i.subject)
		FROM messages AS i WHERE p.id = ? AND i.id = ?`, listed, seen); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM messages WHERE id = ?", seen); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE messages SET uid_validity = ?, uid = ? WHERE id = ?", validity, uid, listed)
	return err
}
