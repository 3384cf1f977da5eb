package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"mailguard/message"
)

// difference is what a listing says that the ledger does not know yet.
type difference struct {
	listing []message.Listed
	ids     []message.ID             // per listed message; 0 where a row has to be made
	copies  map[message.Listed]int64 // the highest copy number among equals so far
	back    []knownCopy              // was marked as gone, and is there
	gone    []knownCopy              // is no longer there
	undone  []knownCopy              // a removal was sent long ago, and it is still there
	joined  map[message.ID]bool      // rows that have what IMAP knows, too
}

// compare matches a listing taken not before the time since with the rows
// that the ledger has, which come sorted. Messages which POP3 cannot tell
// apart (equal unique-id and size) are matched in order. A message of another
// size under a known unique-id is another message. The rules about time keep a
// session whose listing is older than another session's from undoing what that
// one saw. The ledger's times are whole milliseconds, so since is one too.
func compare(known []knownCopy, listing []message.Listed, since time.Time) *difference {
	d := &difference{listing: listing, ids: make([]message.ID, len(listing)), copies: make(map[message.Listed]int64), joined: make(map[message.ID]bool)}
	since = fromMillis(millis(since))
	listed := make(map[message.Listed]int, len(listing))
	for _, m := range listing {
		if m.UniqueID.Valid() {
			listed[m]++
		}
	}
	rows := d.divide(known, listed, since)
	for i, m := range listing {
		if !m.UniqueID.Valid() {
			continue
		}
		if copies := rows[m]; len(copies) > 0 {
			rows[m] = copies[1:]
			d.ids[i], d.copies[m] = copies[0].id, copies[0].number
			d.note(copies[0], since)
		}
	}
	if len(listed) == 0 && len(listing) > 0 {
		d.gone = nil // a listing without unique-ids does not say what is gone
	}
	return d
}

// divide finds the rows whose messages are listed, by key and in order, and
// notes those that are no longer there.
func (d *difference) divide(known []knownCopy, listed map[message.Listed]int, since time.Time) map[message.Listed][]knownCopy {
	rows := make(map[message.Listed][]knownCopy, len(known))
	for len(known) > 0 {
		key, n := known[0].key, 1
		for n < len(known) && known[n].key == key {
			n++
		}
		there, rest := choose(known[:n], listed[key], since)
		rows[key], known = there, known[n:]
		for _, k := range rest {
			if k.gone.IsZero() && k.seen.Before(since) {
				d.gone = append(d.gone, k)
			}
		}
	}
	return rows
}

// choose says which of the rows of equal messages are those of the n that are
// listed. Of several copies a removal takes the one that was claimed for it:
// if the row of one that stays were taken for gone instead, the claim would be
// thought to have failed, and the copy that stays would be removed as well.
func choose(copies []knownCopy, n int, since time.Time) (there, rest []knownCopy) {
	if n >= len(copies) {
		return copies, nil
	}
	byChance := slices.Clone(copies)
	slices.SortStableFunc(byChance, func(a, b knownCopy) int { return a.chance(since) - b.chance(since) })
	there, rest = byChance[:n], byChance[n:]
	slices.SortFunc(there, func(a, b knownCopy) int { return cmp.Compare(a.number, b.number) })
	return there, rest
}

// chance orders equal copies by how likely a listing taken since shows them,
// the likeliest first.
func (k knownCopy) chance(since time.Time) int {
	switch {
	case !k.gone.IsZero() && k.gone.Before(since):
		return 4 // it would have to have come back
	case !k.gone.IsZero():
		return 3 // it went while the session was being opened
	case !k.seen.Before(since):
		return 2 // it came while the session was being opened
	case !k.claimed.IsZero():
		return 1
	default:
		return 0
	}
}

// note looks at a row whose message is listed.
func (d *difference) note(k knownCopy, since time.Time) {
	if k.joined {
		d.joined[k.id] = true
	}
	switch {
	case !k.gone.IsZero() && k.gone.Before(since):
		d.back = append(d.back, k)
	case !k.claimed.IsZero() && k.claimed.Before(since.Add(-claimLasts)):
		d.undone = append(d.undone, k)
	}
}

// write brings the rows up to date; at is a time after the listing was taken.
// It fills in the ids that were missing. A row that has changed since it was
// read is left to the next session.
func (d *difference) write(ctx context.Context, tx *sql.Tx, mailbox int64, at time.Time) error {
	if err := d.insertNew(ctx, tx, mailbox, at); err != nil {
		return err
	}
	if err := d.recordBypasses(ctx, tx, at); err != nil {
		return err
	}
	for _, k := range d.gone {
		how := k.how
		if k.claimed.IsZero() {
			how = goneBypass
		}
		if _, err := tx.ExecContext(ctx, `UPDATE messages SET gone_at = ?, gone_how = ?
			WHERE id = ? AND gone_at IS NULL AND claimed_at IS ?`, millis(at), how, k.id, nullMillis(k.claimed)); err != nil {
			return err
		}
	}
	for _, k := range d.back {
		if _, err := tx.ExecContext(ctx, "UPDATE messages SET gone_at = NULL, gone_how = NULL WHERE id = ? AND gone_at = ?", k.id, millis(k.gone)); err != nil {
			return err
		}
	}
	for _, k := range d.undone {
		if err := unclaim(ctx, tx, k.id, k.claimed); err != nil {
			return err
		}
	}
	return joinListed(ctx, tx, mailbox, d)
}

// recordBypasses puts on record what is gone and was not claimed.
func (d *difference) recordBypasses(ctx context.Context, tx *sql.Tx, at time.Time) error {
	var ids []message.ID
	for _, k := range d.gone {
		if k.claimed.IsZero() {
			ids = append(ids, k.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return recordBypass(ctx, tx, at, "it is not listed any more", "id IN (SELECT value FROM json_each(?))", string(list))
}

// insertNew makes rows for the messages that are listed for the first time.
func (d *difference) insertNew(ctx context.Context, tx *sql.Tx, mailbox int64, at time.Time) error {
	var insert *sql.Stmt
	for i, m := range d.listing {
		if d.ids[i] != 0 || !m.UniqueID.Valid() {
			continue
		}
		if insert == nil { // most sessions bring nothing new
			var err error
			if insert, err = tx.PrepareContext(ctx, insertMessage); err != nil {
				return err
			}
			defer insert.Close()
		}
		copyNumber, err := d.nextCopy(ctx, tx, mailbox, m)
		if err != nil {
			return err
		}
		if err := insert.QueryRowContext(ctx, mailbox, m.UniqueID, copyNumber, m.Size, millis(at)).Scan(&d.ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// A session that listed the same new message at the same time may have made
// its row already; it is the same copy then.
const insertMessage = `INSERT INTO messages (mailbox_id, unique_id, copy, size, first_seen, folder) VALUES (?, ?, ?, ?, ?, 'INBOX')
	ON CONFLICT (mailbox_id, unique_id, size, copy) WHERE unique_id IS NOT NULL DO UPDATE SET copy = excluded.copy RETURNING id`

// nextCopy numbers a new message among its equals: it follows the copies that
// this listing showed before it, and those that are gone for good.
func (d *difference) nextCopy(ctx context.Context, tx *sql.Tx, mailbox int64, m message.Listed) (int64, error) {
	var gone sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT max(copy) FROM messages
		WHERE mailbox_id = ? AND unique_id = ? AND size = ? AND gone_at IS NOT NULL`, mailbox, m.UniqueID, m.Size).Scan(&gone)
	d.copies[m] = max(d.copies[m], gone.Int64) + 1
	return d.copies[m], err
}

func nullMillis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: millis(t), Valid: !t.IsZero()}
}
