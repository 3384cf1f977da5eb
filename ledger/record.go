package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

// Record is what a session has to put on record: all of it, or nothing.
type Record struct {
	At        time.Time
	Decisions []Decision
	Fetches   []Fetch
	LeftAlone []message.ID // listed to the client, not fetched, not deleted, and the session ended with QUIT
}

// Decision is one deletion with its verdict, facts and outcome.
type Decision struct {
	Message message.ID // 0: the ledger has no row of it
	Verdict policy.Verdict
	Rule    string
	Outcome policy.Outcome
	Facts   *policy.Facts
}

// Fetch says that the member got a whole message.
type Fetch struct {
	Message     message.ID
	At          time.Time
	Fingerprint *message.Fingerprint // nil: not taken
}

// Record writes what a session did in one durable transaction. An allowed
// deletion is claimed here, before the first destructive byte goes upstream:
// only the messages that Record returns may be removed. The others are being
// removed by another session, or are pinned; they are out of the member's view
// all the same.
func (l *Ledger) Record(ctx context.Context, v Visit, drop *Maildrop, r Record) (claimed []message.ID, err error) {
	err = l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		claimed = nil
		for _, f := range r.Fetches {
			if err := recordFetch(ctx, tx, v, drop.visitor, f); err != nil {
				return fmt.Errorf("record a fetch: %w", err)
			}
		}
		for _, id := range r.LeftAlone {
			if err := recordLeftAlone(ctx, tx, v, drop.visitor, id, r.At); err != nil {
				return fmt.Errorf("record what was left alone: %w", err)
			}
		}
		for _, d := range r.Decisions {
			ok, err := recordDecision(ctx, tx, v, drop.visitor, d, r.At)
			if err != nil {
				return fmt.Errorf("record a deletion: %w", err)
			}
			if ok {
				claimed = append(claimed, d.Message)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Audit puts on record what was decided about something that is no message of
// the ledger's, such as a whole folder.
func (l *Ledger) Audit(ctx context.Context, v Visit, d Decision, at time.Time) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err := arrive(ctx, tx, v)
		if err != nil {
			return err
		}
		return recordAudit(ctx, tx, v, w, d, at)
	})
}

func recordFetch(ctx context.Context, tx execer, v Visit, w visitor, f Fetch) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO fetches (message_id, member_id, protocol, at) VALUES (?, ?, ?, ?)
		ON CONFLICT (message_id, member_id, protocol) DO NOTHING`, f.Message, w.member, v.Protocol, millis(f.At))
	if err != nil || f.Fingerprint == nil {
		return err
	}
	// The first fingerprint stands: a later one that differs must not pass for
	// the message on which decisions were made.
	_, err = tx.ExecContext(ctx, "UPDATE messages SET fingerprint = ? WHERE id = ? AND fingerprint IS NULL", f.Fingerprint[:], f.Message)
	return err
}

// recordLeftAlone notes that a member is done with a message by leaving it
// alone, if an earlier session of theirs fetched it: it, or an equal copy
// (what was fetched is kept by content).
func recordLeftAlone(ctx context.Context, tx *sql.Tx, v Visit, w visitor, id message.ID, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO fetches (message_id, member_id, protocol, at, left_alone_at)
		SELECT m.id, f.member_id, f.protocol, f.at, ?
		FROM messages m
		JOIN messages e ON e.id = m.id OR (e.mailbox_id = m.mailbox_id AND e.fingerprint = m.fingerprint AND e.size = m.size)
		JOIN fetches f ON f.message_id = e.id
		WHERE m.id = ? AND f.member_id = ? AND f.protocol = ? AND f.at < ?
		LIMIT 1
		ON CONFLICT (message_id, member_id, protocol) DO UPDATE SET left_alone_at = coalesce(left_alone_at, excluded.left_alone_at)`,
		millis(at), id, w.member, v.Protocol, millis(v.At))
	return err
}

// recordDecision reports whether the message was claimed: it may be removed.
func recordDecision(ctx context.Context, tx *sql.Tx, v Visit, w visitor, d Decision, at time.Time) (bool, error) {
	if err := recordAudit(ctx, tx, v, w, d, at); err != nil || d.Message == 0 {
		return false, err
	}
	switch d.Outcome {
	case policy.Deferred:
		return false, recordDeferral(ctx, tx, v, w, d, at)
	case policy.Allowed:
		claimed, err := claim(ctx, tx, d.Message, goneAllowed, at)
		if err != nil {
			return false, err
		}
		if !claimed {
			return false, recordDeferral(ctx, tx, v, w, d, at)
		}
		return true, recordDeletion(ctx, tx, v, w, d, at)
	case policy.Observed:
		return claim(ctx, tx, d.Message, goneObserved, at)
	default:
		return false, nil
	}
}

func recordAudit(ctx context.Context, tx execer, v Visit, w visitor, d Decision, at time.Time) error {
	facts, err := json.Marshal(d.Facts)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO decisions (at, mailbox_id, message_id, member, verdict, outcome, rule, facts)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, millis(at), w.mailbox,
		sql.NullInt64{Int64: int64(d.Message), Valid: d.Message != 0}, v.Member, d.Verdict, d.Outcome, d.Rule, string(facts))
	return err
}

func recordDeferral(ctx context.Context, tx execer, v Visit, w visitor, d Decision, at time.Time) error {
	if err := recordDeletion(ctx, tx, v, w, d, at); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE messages SET held_since = coalesce(held_since, ?) WHERE id = ?", millis(at), d.Message)
	return err
}

// recordDeletion takes the message out of the member's view. The first
// deletion of a message by a member stands.
func recordDeletion(ctx context.Context, tx execer, v Visit, w visitor, d Decision, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deletions (message_id, member_id, protocol, op, verdict, rule, at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, member_id, protocol) DO NOTHING`,
		d.Message, w.member, v.Protocol, d.Facts.Op, d.Verdict, d.Rule, millis(at))
	return err
}
