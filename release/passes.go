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
	passAgain  = 5 * time.Minute // after one that could not do what is due
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
// it asks the ledger first whether anything is worth a look, and leaves a folder
// alone for some minutes in which another session is at work, or could not release
// what is due. news says that the session itself has just made something known
// that a release can rest on: then it does not wait.
func (r *Releaser) InPassing(ctx context.Context, mailbox member.Mailbox, key ledger.FolderKey, remover Remover, news bool) (Passed, error) {
	worth, err := r.isWorth(ctx, mailbox, key)
	if err != nil || !worth {
		return Passed{}, err
	}
	at := place{mailbox, key}
	if !r.passes.claim(at, r.Now(), news) {
		return Passed{}, nil
	}
	done, err := r.Pass(ctx, mailbox, key, remover)
	next := r.Now()
	if done.Stuck || err != nil {
		next = next.Add(passAgain)
	}
	r.passes.done(at, next)
	return done, err
}

// isWorth reports whether there is anything in a folder to look at.
func (r *Releaser) isWorth(ctx context.Context, mailbox member.Mailbox, key ledger.FolderKey) (bool, error) {
	ids, err := r.Ledger.Candidates(ctx, mailbox, key, r.Now(), 1)
	if err != nil || len(ids) > 0 {
		return err == nil, err
	}
	overdue, err := r.Ledger.Overdue(ctx, mailbox, key, r.Now())
	return len(overdue) > 0, err
}
