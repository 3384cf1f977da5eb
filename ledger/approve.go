package ledger

import (
	"context"

	"mailguard/message"
)

// Approve has held messages released as soon as they can be, whatever their
// rules wait for. What is not held cannot be approved; nor what is pinned,
// which would go at once when somebody unpins it later.
func (l *Ledger) Approve(ctx context.Context, ids []message.ID, why string) (Administered, error) {
	return l.administer(ctx, ids, why, func(ctx context.Context, w word, s standing) (string, error) {
		switch late := s.tooLate(); {
		case late != "":
			return late, nil
		case !s.held:
			return "it is not held: nobody's deletion waits", nil
		case s.pinned:
			return "it is pinned: unpin it first", nil
		}
		return "", w.change(ctx, s, kindApproved, w.why, "approved_at = coalesce(approved_at, ?)", millis(w.at))
	})
}
