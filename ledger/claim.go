package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// claim notes durably that a removal is about to be sent upstream. A message
// is claimed by one session at a time, and never while it is pinned: false
// says that it was not claimed.
func claim(ctx context.Context, tx execer, id message.ID, how string, at time.Time) (bool, error) {
	result, err := tx.ExecContext(ctx, `UPDATE messages SET claimed_at = ?, claimed_how = ?
		WHERE id = ? AND claimed_at IS NULL AND gone_at IS NULL AND pinned = 0`, millis(at), how, id)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// unclaim takes a claim back: the message is known to be still there. What a
// member was told is deleted stays out of their view, and waits as held. A
// claim made at another time than claimed is somebody else's and stands; the
// zero time is any.
func unclaim(ctx context.Context, tx *sql.Tx, id message.ID, claimed time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE messages SET claimed_at = NULL, claimed_how = NULL,
		held_since = coalesce(held_since, (SELECT min(at) FROM deletions WHERE message_id = messages.id))
		WHERE id = ? AND gone_at IS NULL AND claimed_at = coalesce(?, claimed_at)`, id, nullMillis(claimed))
	return err
}

// Claim claims held messages for release. For each of them due is asked
// within the transaction, with the facts of that moment; what it denies, and
// what somebody else has claimed, is left out of the answer.
func (l *Ledger) Claim(ctx context.Context, mailbox member.Mailbox, ids []message.ID, at time.Time, due func(*Held, policy.Everyone) (Ruling, error)) ([]message.ID, error) {
	var claimed []message.ID
	err := l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		claimed = claimed[:0]
		held, err := loadHeld(ctx, tx, mailbox, ids)
		if err != nil {
			return err
		}
		everyone, err := loadEveryone(ctx, tx, mailbox, at)
		if err != nil {
			return err
		}
		for _, h := range held {
			ruling, err := due(h, everyone)
			if err != nil {
				return fmt.Errorf("message %d: %w", h.Message.ID, err)
			}
			ok, err := claimDue(ctx, tx, h, ruling, at)
			if err != nil {
				return err
			}
			if ok {
				claimed = append(claimed, h.Message.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Ruling is what policy says of a held message at one moment.
type Ruling struct {
	Due         bool
	UnlessHolds bool          // its rule's `unless` holds now
	Why         string        // for people
	NeedsFlags  bool          // only flags that nobody has read stand between it and its release
	Again       time.Time     // when time alone changes it; zero: that cannot be told
	Rule        string        // of the deletion that it rests on
	Facts       *policy.Facts // that it rests on, for the record; nil: none
}

func claimDue(ctx context.Context, tx *sql.Tx, h *Held, r Ruling, at time.Time) (bool, error) {
	if h.Message.HeldSince.IsZero() || !h.Message.Claimed.IsZero() || r.NeedsFlags && !r.UnlessHolds {
		return false, nil
	}
	if !r.Due || r.UnlessHolds || h.Message.Pinned {
		return false, lookLater(ctx, tx, h.Message.ID, r, at)
	}
	ok, err := claim(ctx, tx, h.Message.ID, goneReleased, at)
	if err != nil || !ok {
		return false, err
	}
	return true, recordEvent(ctx, tx, event{at: at, kind: kindReleased, message: h.Message.ID, rule: r.Rule, why: r.Why, facts: r.Facts})
}

// Withdraw takes claims back whose removal was certainly not carried out:
// nothing of it was sent, or the upstream said so.
func (l *Ledger) Withdraw(ctx context.Context, ids []message.ID) error {
	if len(ids) == 0 {
		return nil
	}
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, id := range ids {
			if err := unclaim(ctx, tx, id, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}
