package release

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mailguard/ledger"
	"mailguard/member"
)

// passes remembers which folders are being looked at, and when next, so that of
// many sessions of a mailbox a single one does it.
type passes struct {
	mu   sync.Mutex
	next *simplelru.LRU[place, time.Time] // not before that time
}

type place struct {
	mailbox member.Mailbox
	key     ledger.FolderKey
}

const (
	passesKept = 20_000
	passLasts  = 5 * time.Minute // one that is under way; if it is not over by then, another may begin
	passAgain  = 5 * time.Minute // after one in passing
)

func newPasses() *passes {
	next, _ := simplelru.NewLRU[place, time.Time](passesKept, nil) // only a size below one is an error
	return &passes{next: next}
}

// claim reports whether a pass may begin. Whoever has news does not wait for
// the time to come, but for nobody's pass that is under way: the ledger has what
// they do at the same time claimed once.
func (p *passes) claim(at place, now time.Time, news bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next, ok := p.next.Get(at); ok && !news && now.Before(next) {
		return false
	}
	p.next.Add(at, now.Add(passLasts))
	return true
}

func (p *passes) done(at place, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next.Add(at, next)
}

// InPassing is Pass for a session of a member's, which has its own things to do:
// it is made every few minutes at most, by one session for all that have the
// folder open, and at once where news says that the session itself has just made
// something known that a release can rest on.
func (r *Releaser) InPassing(ctx context.Context, mailbox member.Mailbox, key ledger.FolderKey, remover Remover, news bool) (Passed, error) {
	at := place{mailbox, key}
	if !r.passes.claim(at, r.Now(), news) {
		return Passed{}, nil
	}
	done, err := r.Pass(ctx, mailbox, key, remover)
	next := r.Now().Add(passAgain)
	if done.More && err == nil {
		next = r.Now()
	}
	r.passes.done(at, next)
	return done, err
}
