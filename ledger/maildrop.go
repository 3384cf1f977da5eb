package ledger

import (
	"context"
	"database/sql"
	"errors"
	"slices"
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
	// Another session may list the mailbox at the same time. Whoever began
	// before this moment may not have what is listed here, or still have what
	// is gone.
	at := l.now()
	if at.Before(v.At) {
		at = v.At
	}
	diff := compare(known, listing, v.At)
	drop := &Maildrop{IDs: diff.ids, Hidden: make([]bool, len(listing))}
	err = l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		if drop.visitor, err = arrive(ctx, tx, v); err != nil {
			return err
		}
		return diff.write(ctx, tx, drop.mailbox, at)
	})
	if err != nil {
		return nil, err
	}
	return l.markHidden(ctx, v, drop, listing)
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
	return l.markHidden(ctx, v, drop, listing)
}

// errUnnamed is the error of a listing that lost its unique-ids: what the
// member has deleted could not be told from the rest, and would be shown.
var errUnnamed = errors.New("the upstream's listing has no unique-ids, and the member has deleted messages by theirs")

// canBeListed are the rows that a listing can show: those that are there,
// those that went while the session was being opened, and those that went past
// the guard not too long ago.
const canBeListed = "(m.gone_at IS NULL OR m.gone_at >= ? OR (m.gone_how = ? AND m.gone_at >= ?))"

func listedSince(at time.Time) []any {
	return []any{millis(at), goneBypass, millis(at.Add(-comesBack))}
}

// markHidden fills in what the member has deleted by this protocol.
func (l *Ledger) markHidden(ctx context.Context, v Visit, drop *Maildrop, listing []message.Listed) (*Maildrop, error) {
	hidden := make(map[message.ID]bool)
	err := l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var id message.ID
			err := rows.Scan(&id)
			hidden[id] = true
			return err
		}, `SELECT d.message_id FROM deletions d JOIN messages m ON m.id = d.message_id
			WHERE d.member_id = ? AND d.protocol = ? AND `+canBeListed,
			append([]any{drop.member, v.Protocol}, listedSince(v.At)...)...)
	})
	if err != nil {
		return nil, err
	}
	named := slices.ContainsFunc(listing, func(m message.Listed) bool { return m.UniqueID.Valid() })
	if len(listing) > 0 && !named && len(hidden) > 0 {
		return nil, errUnnamed
	}
	for i, id := range drop.IDs {
		drop.Hidden[i] = hidden[id]
	}
	return drop, nil
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
	joined  bool   // IMAP knows it, too
}

// knownCopies returns the mailbox's rows that a listing can show. Copies come
// together and in their order.
func (l *Ledger) knownCopies(ctx context.Context, v Visit) (known []knownCopy, err error) {
	err = l.reading(func(q querier) error {
		return each(ctx, q, func(rows *sql.Rows) error {
			var k knownCopy
			var seen int64
			var gone, claimed sql.NullInt64
			var how sql.NullString
			err := rows.Scan(&k.id, &k.key.UniqueID, &k.key.Size, &k.number, &seen, &gone, &claimed, &how, &k.joined)
			k.seen, k.gone, k.claimed, k.how = fromMillis(seen), fromNull(gone), fromNull(claimed), how.String
			known = append(known, k)
			return err
		}, `SELECT m.id, m.unique_id, m.size, m.copy, m.first_seen, m.gone_at, m.claimed_at, m.claimed_how, m.uid IS NOT NULL
			FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
			WHERE b.name = ? AND m.unique_id IS NOT NULL AND `+canBeListed+`
			ORDER BY m.unique_id, m.size, m.copy`, append([]any{v.Mailbox}, listedSince(v.At)...)...)
	})
	return known, err
}
