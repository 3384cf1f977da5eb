package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

// FolderRecord is what a session has to put on record about one folder: all of
// it, or nothing.
type FolderRecord struct {
	At        time.Time
	Decisions []FolderDecision
	Fetches   []FolderFetch
	Unmark    []message.UID // the member's marks that end here; those of what is deferred end too
	Copies    []FolderCopy  // that deferred moves among the decisions made
}

// FolderDecision is one deletion with its verdict, facts and outcome.
type FolderDecision struct {
	Seen    message.Seen // as it was read for this decision
	Verdict policy.Verdict
	Rule    string
	Outcome policy.Outcome
	Facts   *policy.Facts
}

// FolderFetch says that the member got a whole message.
type FolderFetch struct {
	UID         message.UID
	Size        int64 // octets; 0: not known
	At          time.Time
	Fingerprint *message.Fingerprint // nil: not taken
}

// RecordFolder writes what a session did in one folder in one durable
// transaction. Messages get a row when they are first spoken of; what a row
// says of size, internal date and fingerprint stands.
//
// An allowed deletion is claimed here, before the first destructive byte goes
// upstream: only the messages that RecordFolder returns may be removed. What
// somebody else is removing, what was pinned, and what is known to be gone is
// not claimed. Over IMAP the client goes on seeing such a message until the
// upstream says that it is gone, so nothing is held for it, it does not count
// as deleted, its mark stays, and the audit says that it was not removed.
func (l *Ledger) RecordFolder(ctx context.Context, v Visit, key FolderKey, r FolderRecord) (claimed []message.UID, err error) {
	err = l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err := arrive(ctx, tx, v)
		if err != nil {
			return err
		}
		f := &folderRecorder{tx: prepared(tx), visit: v, visitor: w, key: key, at: r.At}
		claimed, err = f.write(ctx, r)
		if err = errors.Join(err, f.tx.close()); err != nil {
			return err
		}
		return unmark(ctx, tx, w, key, append(r.deferred(), r.Unmark...))
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// deferred are the messages that the client is told are gone.
func (r FolderRecord) deferred() (list []message.UID) {
	for _, d := range r.Decisions {
		if d.Outcome == policy.Deferred {
			list = append(list, d.Seen.UID)
		}
	}
	return list
}

// folderRecorder writes one FolderRecord. It lives for one transaction.
type folderRecorder struct {
	tx      *statements
	visit   Visit
	visitor visitor
	key     FolderKey
	at      time.Time
}

func (f *folderRecorder) write(ctx context.Context, r FolderRecord) (claimed []message.UID, err error) {
	if err := noteLife(ctx, f.tx, f.visitor.mailbox, f.key, f.at); err != nil {
		return nil, err
	}
	for _, fetch := range r.Fetches {
		if err := f.fetch(ctx, fetch); err != nil {
			return nil, fmt.Errorf("record a fetch: %w", err)
		}
	}
	for _, d := range r.Decisions {
		ok, err := f.decision(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("record a deletion: %w", err)
		}
		if ok {
			claimed = append(claimed, d.Seen.UID)
		}
	}
	return claimed, f.recordCopies(ctx, r.Copies)
}

// row returns the row of a message, which it makes or completes, and since when
// the message is gone or its removal is claimed, if so.
func (f *folderRecorder) row(ctx context.Context, m message.Seen, print *message.Fingerprint, at time.Time) (id message.ID, removed sql.NullInt64, err error) {
	var fingerprint []byte
	if print != nil {
		fingerprint = print[:]
	}
	var apart bool
	err = f.tx.QueryRowContext(ctx, `INSERT INTO messages (mailbox_id, folder, uid_validity, uid, size, internal_date, fingerprint, first_seen)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (mailbox_id, folder, uid_validity, uid) WHERE uid IS NOT NULL DO UPDATE SET
			size = coalesce(size, excluded.size), internal_date = coalesce(internal_date, excluded.internal_date),
			fingerprint = coalesce(fingerprint, excluded.fingerprint)
		RETURNING id, coalesce(gone_at, claimed_at), unique_id IS NULL`,
		f.visitor.mailbox, f.key.Name, f.key.UIDValidity, m.UID, sql.NullInt64{Int64: m.Size, Valid: m.Size > 0},
		nullMillis(m.InternalDate), fingerprint, millis(at)).Scan(&id, &removed, &apart)
	if err != nil || !apart || f.key.Name != inboxName {
		return id, removed, err
	}
	id, err = joinUID(ctx, f.tx, f.visitor.mailbox, id, message.Place{UIDValidity: f.key.UIDValidity, UID: m.UID})
	return id, removed, err
}

func (f *folderRecorder) fetch(ctx context.Context, g FolderFetch) error {
	id, _, err := f.row(ctx, message.Seen{UID: g.UID, Size: g.Size}, g.Fingerprint, g.At)
	if err != nil {
		return err
	}
	return recordFetch(ctx, f.tx, f.visit, f.visitor, Fetch{Message: id, At: g.At})
}

// decision reports whether the message was claimed: it may be removed.
func (f *folderRecorder) decision(ctx context.Context, d FolderDecision) (bool, error) {
	id, removed, err := f.row(ctx, d.Seen, nil, f.at)
	if err != nil {
		return false, err
	}
	if removed.Valid && fromMillis(removed.Int64).Before(f.at.Add(-claimLasts)) {
		if err := reappear(ctx, f.tx, id); err != nil {
			return false, err
		}
	}
	on := Decision{Message: id, Verdict: d.Verdict, Rule: d.Rule, Outcome: d.Outcome, Facts: d.Facts}
	claimed, err := f.claim(ctx, &on)
	if err != nil {
		return false, err
	}
	if err := recordAudit(ctx, f.tx, f.visit, f.visitor, on, f.at); err != nil {
		return false, err
	}
	switch on.Outcome {
	case policy.Allowed:
		err = recordDeletion(ctx, f.tx, f.visit, f.visitor, on, f.at)
	case policy.Deferred:
		err = recordHiding(ctx, f.tx, f.visit, f.visitor, on, d.Seen, f.at)
	default:
		return claimed, nil
	}
	if err != nil {
		return false, err
	}
	return claimed, f.deletedAgain(ctx, id)
}

// claim claims what is to be removed. An allowed deletion that cannot be
// claimed is none: the message stays, and the client sees it.
func (f *folderRecorder) claim(ctx context.Context, d *Decision) (bool, error) {
	switch d.Outcome {
	case policy.Allowed:
		claimed, err := claim(ctx, f.tx, d.Message, goneAllowed, f.at)
		if !claimed {
			d.Outcome = policy.Refused
		}
		return claimed, err
	case policy.Observed:
		return claim(ctx, f.tx, d.Message, goneObserved, f.at)
	default:
		return false, nil
	}
}

// reappear corrects the row of a message that was seen at a time when it
// should long have been gone: its removal did not happen, or the upstream was
// restored from its backup.
func reappear(ctx context.Context, tx execer, id message.ID) error {
	_, err := tx.ExecContext(ctx, `UPDATE messages SET claimed_at = NULL, claimed_how = NULL, gone_at = NULL, gone_how = NULL
		WHERE id = ?`, id)
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM deletions WHERE message_id = ? AND "+notCarriedOut, id)
	}
	return err
}

// notCarriedOut are the deletions that a claim over IMAP made, once it is known
// that the claimed removal did not happen. The client was never told that the
// message is gone, and still sees it: so the member has not deleted it, by
// whatever asks who has.
const notCarriedOut = "protocol = 'imap' AND hides = 0"
