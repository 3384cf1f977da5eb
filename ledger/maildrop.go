package ledger

import (
	"context"
	"database/sql"
	"time"

	"mailguard/message"
)

// Maildrop is what the ledger knows of one session's maildrop. It is a value:
// nothing in it changes after it was returned.
type Maildrop struct {
	visitor

	IDs    []message.ID // of each message of the listing, in its order; 0: not in the ledger
	Hidden []bool       // whether the member has deleted it by this protocol
}

// How the ledger says that a message left the upstream.
const (
	goneReleased = "released"
	goneAllowed  = "allowed"
	goneObserved = "observed"
	goneBypass   = "bypass" // past the guard: webmail, the server's own expiry
)

// claimLasts is how long a claimed removal may be under way: longer than any
// session takes from its claim to the upstream's answer to QUIT. Only then is
// a message that is still there known not to have been removed.
const claimLasts = 15 * time.Minute

// comesBack is how long a message that vanished past the guard is known again
// when it reappears (a server restored from its backup).
const comesBack = 90 * 24 * time.Hour

// OpenMaildrop brings the ledger up to date with what the upstream lists: new
// messages get rows, those that are gone are marked, and removals that were
// sent are settled by whether the message is still there. It returns each
// message's row and what is hidden from the member.
func (l *Ledger) OpenMaildrop(ctx context.Context, v Visit, listing []message.Listed) (*Maildrop, error) {
	known, err := l.knownCopies(ctx, v)
	if err != nil {
		return nil, err
	}
	diff := compare(known, listing, v.At)
	drop := &Maildrop{IDs: diff.ids, Hidden: make([]bool, len(listing))}
	err = l.commit(ctx, func(tx *sql.Tx) error {
		var err error
		if drop.visitor, err = arrive(ctx, tx, v); err != nil {
			return err
		}
		return diff.write(ctx, tx, drop.mailbox, v.At)
	})
	if err != nil {
		return nil, err
	}
	return drop, l.markHidden(ctx, v, drop)
}

// ReadMaildrop is OpenMaildrop without writing: for a session that may only
// read, because the ledger cannot be written.
func (l *Ledger) ReadMaildrop(ctx context.Context, v Visit, listing []message.Listed) (*Maildrop, error) {
	known, err := l.knownCopies(ctx, v)
	if err != nil {
		return nil, err
	}
	drop := &Maildrop{IDs: compare(known, listing, v.At).ids, Hidden: make([]bool, len(listing))}
	err = l.reading(func(q querier) error {
		var err error
		drop.visitor, err = find(ctx, q, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return drop, l.markHidden(ctx, v, drop)
}

// markHidden fills in what the member has deleted by this protocol.
func (l *Ledger) markHidden(ctx context.Context, v Visit, drop *Maildrop) error {
	hidden := make(map[message.ID]bool)
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var id message.ID
			err := rows.Scan(&id)
			hidden[id] = true
			return err
		}, `SELECT d.message_id FROM deletions d JOIN messages m ON m.id = d.message_id
			WHERE d.member_id = ? AND d.protocol = ? AND m.gone_at IS NULL`, drop.member, v.Protocol)
	})
	for i, id := range drop.IDs {
		drop.Hidden[i] = hidden[id]
	}
	return err
}

// knownCopy is a row that a listed message may be.
type knownCopy struct {
	id      message.ID
	key     message.Listed
	number  int64 // among equals
	seen    time.Time
	gone    time.Time
	claimed time.Time
	how     string // what the claim was for
}

// knownCopies returns the mailbox's rows that a listing can show: those that
// are there, those that went while the session was being opened, and those
// that went past the guard not too long ago. Copies come in their order.
func (l *Ledger) knownCopies(ctx context.Context, v Visit) (known []knownCopy, err error) {
	err = l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var k knownCopy
			var seen int64
			var gone, claimed sql.NullInt64
			var how sql.NullString
			err := rows.Scan(&k.id, &k.key.UniqueID, &k.key.Size, &k.number, &seen, &gone, &claimed, &how)
			k.seen, k.gone, k.claimed, k.how = fromMillis(seen), fromNull(gone), fromNull(claimed), how.String
			known = append(known, k)
			return err
		}, `SELECT m.id, m.unique_id, m.size, m.copy, m.first_seen, m.gone_at, m.claimed_at, m.claimed_how
			FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
			WHERE b.name = ? AND m.unique_id IS NOT NULL
				AND (m.gone_at IS NULL OR m.gone_at >= ? OR (m.gone_how = ? AND m.gone_at >= ?))
			ORDER BY m.unique_id, m.size, m.copy`,
			v.Mailbox, millis(v.At), goneBypass, millis(v.At.Add(-comesBack)))
	})
	return known, err
}
