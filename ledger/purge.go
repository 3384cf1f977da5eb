package ledger

import (
	"context"
	"errors"
	"strings"

	"mailguard/message"
)

// ErrNoReason is the error of a purge for which nobody gave a reason.
var ErrNoReason = errors.New("a purge needs a reason: it removes a message whatever policy says")

// Purge has messages removed from the upstream whatever policy says, held or
// not, pinned or not, for everybody: for requests to erase them. What is kept of their
// headers is erased at once. What is being removed already is purged too, in
// case its removal fails.
func (l *Ledger) Purge(ctx context.Context, ids []message.ID, reason string) (Administered, error) {
	if strings.TrimSpace(reason) == "" {
		return Administered{}, ErrNoReason
	}
	return l.administer(ctx, ids, reason, func(ctx context.Context, w word, s standing) (string, error) {
		if s.gone != "" {
			return s.tooLate(), nil
		}
		return "", w.change(ctx, s, kindPurged, w.why,
			"purge_reason = ?, pinned = 0, held_since = coalesce(held_since, ?), sender = NULL, subject = NULL", w.why, millis(w.at))
	})
}
