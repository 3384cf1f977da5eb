package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"mailguard/member"
	"mailguard/message"
)

// UIDRange are the UIDs from First to Last, both included.
type UIDRange struct{ First, Last message.UID }

// Look is what a session read of a whole folder.
type Look struct {
	At      time.Time   // before the first question was sent
	UpTo    message.UID // the last UID that was given away at that moment: UIDNEXT less one
	Exists  uint32      // how many messages there were at the end of the look
	Present []UIDRange  // all that are there, in ascending order; no two overlap
}

// errImplausible is the error of a look that does not show a whole folder.
var errImplausible = errors.New("a look at a folder contradicts itself")

// check makes sure that the look shows as many messages as there are: a server
// that answers in part must not make the rest pass for gone.
func (l Look) check() error {
	var shown uint64
	before := uint64(0)
	for _, r := range l.Present {
		if uint64(r.First) <= before || r.Last < r.First {
			return fmt.Errorf("%w: UIDs %d to %d after %d", errImplausible, r.First, r.Last, before)
		}
		shown += uint64(r.Last-r.First) + 1
		before = uint64(r.Last)
	}
	if shown != uint64(l.Exists) {
		return fmt.Errorf("%w: %d messages exist, and %d are shown", errImplausible, l.Exists, shown)
	}
	return nil
}

// missing are those of the UIDs, which are in ascending order, that the look
// does not show.
func (l Look) missing(known []message.UID) []message.UID {
	var gone []message.UID
	present := l.Present
	for _, uid := range known {
		for len(present) > 0 && present[0].Last < uid {
			present = present[1:]
		}
		if len(present) == 0 || uid < present[0].First {
			gone = append(gone, uid)
		}
	}
	return gone
}

// Swept is what a sweep has found.
type Swept struct {
	Gone []message.UID // that was not known to be
	Back []Returned    // see SettleFolder
}

// Sweep holds all that is known of one life of a folder against a look at the
// whole of it: what is not there, and was on record before the look, is settled
// as gone. A look that contradicts itself is an error, and changes nothing. With
// any other error some of it may have been settled, which is returned; the next
// sweep settles the rest.
func (l *Ledger) Sweep(ctx context.Context, mailbox member.Mailbox, key FolderKey, look Look) (Swept, error) {
	if err := look.check(); err != nil {
		return Swept{}, err
	}
	var known []message.UID
	if err := l.reading(func(q querier) error {
		var err error
		known, err = knownUIDs(ctx, q, mailbox, key, look.UpTo, look.At)
		return err
	}); err != nil {
		return Swept{}, err
	}
	swept, err := l.settleAll(ctx, mailbox, key, Settlement{At: look.At}, look.missing(known))
	if err != nil {
		return swept, err
	}
	return swept, l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return noteSweep(ctx, tx, mailbox, key, look.At)
	})
}

// chunk is how many messages are settled or forgotten in one piece: other
// writers wait no longer than for that.
const chunk = 500

// settleAll settles messages as gone, piece by piece.
func (l *Ledger) settleAll(ctx context.Context, mailbox member.Mailbox, key FolderKey, s Settlement, gone []message.UID) (Swept, error) {
	var done Swept
	for piece := range slices.Chunk(gone, chunk) {
		s.Gone = piece
		back, err := l.SettleFolder(ctx, mailbox, key, s)
		if err != nil {
			return done, err
		}
		done.Gone, done.Back = append(done.Gone, piece...), append(done.Back, back...)
	}
	return done, nil
}
