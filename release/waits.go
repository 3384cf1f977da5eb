package release

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// waits remembers what failed, and until when it is left alone: twice as long
// after each failure. The zero value is ready.
type waits struct {
	mu    sync.Mutex
	after *simplelru.LRU[string, wait]
}

type wait struct {
	until time.Time
	last  time.Duration
}

const waitsKept = 20_000

func (w *waits) table() *simplelru.LRU[string, wait] {
	if w.after == nil {
		w.after, _ = simplelru.NewLRU[string, wait](waitsKept, nil) // only a size below one is an error
	}
	return w.after
}

// holds reports whether something is to be left alone now.
func (w *waits) holds(what string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, ok := w.table().Get(what)
	return ok && now.Before(one.until)
}

// more notes a failure, and returns how long to wait.
func (w *waits) more(what string, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, _ := w.table().Get(what)
	one.last = min(max(2*one.last, firstWait), longestWait)
	one.until = now.Add(one.last)
	w.table().Add(what, one)
	return one.last
}

// clear forgets the failures of what has worked.
func (w *waits) clear(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table().Remove(what)
}
