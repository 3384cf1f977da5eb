package ledger

import (
	"context"

	"mailguard/message"
)

// Pin keeps messages from being released, held or not, until they are
// unpinned. The last word counts: an approval and a purge that wait are taken
// back. What is being removed cannot be pinned any more.
func (l *Ledger) Pin(ctx context.Context, ids []message.ID, why string) (Administered, error) {
	return l.administer(ctx, ids, why, func(ctx context.Context, w word, s standing) (string, error) {
		if late := s.tooLate(); late != "" {
			return late, nil
		}
		return "", w.change(ctx, s, kindPinned, w.why,
			"pinned = 1, approved_at = NULL, purge_reason = NULL, held_since = "+firstDeletion)
	})
}

// Unpin lets pinned messages be released when policy says so.
func (l *Ledger) Unpin(ctx context.Context, ids []message.ID, why string) (Administered, error) {
	return l.administer(ctx, ids, why, func(ctx context.Context, w word, s standing) (string, error) {
		switch late := s.tooLate(); {
		case late != "":
			return late, nil
		case !s.pinned:
			return "it is not pinned", nil
		}
		return "", w.change(ctx, s, kindUnpinned, w.why, "pinned = 0")
	})
}
