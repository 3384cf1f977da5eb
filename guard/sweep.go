package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mailguard/ledger"
)

// UIDRange are UIDs from one to another, both included.
type UIDRange = ledger.UIDRange

// Look is what a session read of the whole folder.
type Look = ledger.Look

// sweeps remembers which folders are being swept, so that of many sessions which
// open one at the same time a single one does it.
type sweeps struct {
	mu   sync.Mutex
	next *simplelru.LRU[openFolder, time.Time] // not before that time
}

const (
	sweepsKept = 20_000
	sweepAgain = time.Hour      // after one that was begun and not reported
	sweptLast  = 24 * time.Hour // after one that was
)

func newSweeps() *sweeps {
	next, _ := simplelru.NewLRU[openFolder, time.Time](sweepsKept, nil) // only a size below one is an error
	return &sweeps{next: next}
}

// claim reports whether a sweep may begin. It then has some time.
func (s *sweeps) claim(place openFolder, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, ok := s.next.Get(place); ok && now.Before(next) {
		return false
	}
	s.next.Add(place, now.Add(sweepAgain))
	return true
}

func (s *sweeps) done(place openFolder, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next.Add(place, now.Add(sweptLast))
}

// SweepDue reports, once to one of the sessions that have the folder open,
// whether all that is known of it should be compared with what is there: nobody
// has for a day. Messages that went past the guard are noticed by that where
// nobody asks about them. The session then looks at the whole folder, and calls
// Swept. It is never due where the ledger cannot be read.
func (f *Folder) SweepDue() bool {
	return f.blind == nil && f.sweepDue && f.guard.sweeps.claim(f.place(), f.guard.Now())
}

// Swept says what a look at the whole folder has shown. Everything that was on
// record before look.At, has a UID up to look.UpTo and is not present is settled
// as gone, as Settle does. Ask for UIDNEXT before the look, and count the messages
// after it: a look that does not show as many as exist is refused, and nothing is
// recorded. If Swept fails, the next sweep does the same, or what is left of it;
// the log has the error.
func (f *Folder) Swept(ctx context.Context, look Look) error {
	if f.blind != nil {
		return f.blind
	}
	g := f.guard
	found, err := g.Ledger.Sweep(ctx, f.visitor.Mailbox, f.key, look)
	for _, uid := range found.Gone {
		delete(f.claims, uid)
	}
	f.forget(found.Gone, found.Back)
	if err != nil {
		f.warn(err, "what is known of a folder was not compared with it")
		return fmt.Errorf("sweep: %w", err)
	}
	g.sweeps.done(f.place(), g.Now())
	return nil
}
