package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mailguard/message"
)

// What the record calls an entry that is no verdict.
const (
	kindBypass   = "bypass"
	kindApproved = "approved"
	kindRestored = "restored"
	kindPinned   = "pinned"
	kindUnpinned = "unpinned"
	kindPurged   = "purged"
)

// Refusal says of one message why nothing was done about it.
type Refusal struct {
	ID  message.ID
	Why string // for people
}

// Administered says what became of the messages that an administrator named,
// each of which is in one of the lists.
type Administered struct {
	Done    []message.ID
	Refused []Refusal
}

// standing is what an administrator's order about a message depends on.
type standing struct {
	id      message.ID
	held    bool
	pinned  bool
	claimed bool
	purged  bool   // it is to be removed, whatever policy says
	gone    string // how; "": it is there
}

// unknownMessage is the reason for a number that was never given.
const unknownMessage = "there is no such message in the ledger"

// tooLate is why nothing can be decided about a message any more, or "".
func (s standing) tooLate() string {
	switch {
	case s.gone != "":
		return "it is gone (" + s.gone + ")"
	case s.claimed:
		return "it is being removed at this moment: that cannot be stopped any more"
	default:
		return ""
	}
}

// word is an order of an administrator's, while it is carried out in one
// transaction.
type word struct {
	tx  *statements
	at  time.Time
	why string
}

// administer carries an order out about each of the messages, in one durable
// transaction. do says why it does nothing about one, "" if it did.
func (l *Ledger) administer(ctx context.Context, ids []message.ID, why string, do func(context.Context, word, standing) (string, error)) (Administered, error) {
	var all Administered
	err := l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all = Administered{}
		w := word{tx: prepared(tx), at: l.now(), why: why}
		err := w.each(ctx, ids, do, &all)
		return errors.Join(err, w.tx.close())
	})
	if err != nil {
		return Administered{}, err
	}
	return all, nil
}

func (w word) each(ctx context.Context, ids []message.ID, do func(context.Context, word, standing) (string, error), all *Administered) error {
	named := make(map[message.ID]bool, len(ids))
	for _, id := range ids {
		if named[id] {
			continue
		}
		named[id] = true
		refused, err := w.one(ctx, id, do)
		switch {
		case err != nil:
			return fmt.Errorf("message %d: %w", id, err)
		case refused != "":
			all.Refused = append(all.Refused, Refusal{ID: id, Why: refused})
		default:
			all.Done = append(all.Done, id)
		}
	}
	return nil
}

func (w word) one(ctx context.Context, id message.ID, do func(context.Context, word, standing) (string, error)) (string, error) {
	s := standing{id: id}
	err := w.tx.QueryRowContext(ctx, `SELECT held_since IS NOT NULL, pinned, claimed_at IS NOT NULL,
		purge_reason IS NOT NULL, CASE WHEN gone_at IS NULL THEN '' ELSE coalesce(gone_how, 'unknown') END FROM messages WHERE id = ?`, id).
		Scan(&s.held, &s.pinned, &s.claimed, &s.purged, &s.gone)
	if errors.Is(err, sql.ErrNoRows) {
		return unknownMessage, nil
	}
	if err != nil {
		return "", err
	}
	return do(ctx, w, s)
}

// change changes a message's row and puts on record who wanted it: the
// administrator, who has no name here.
func (w word) change(ctx context.Context, s standing, kind, why, set string, args ...any) error {
	if _, err := w.tx.ExecContext(ctx, "UPDATE messages SET "+set+" WHERE id = ?", append(args, s.id)...); err != nil {
		return err
	}
	return w.record(ctx, s, kind, why)
}

func (w word) record(ctx context.Context, s standing, kind, why string) error {
	return recordEvent(ctx, w.tx, event{at: w.at, kind: kind, message: s.id, why: why})
}
