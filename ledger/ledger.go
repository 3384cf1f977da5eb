package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Options are what a ledger needs to know.
type Options struct {
	Path      string           // of the SQLite file; made if it never existed
	MustExist bool             // do not make it
	Now       func() time.Time // the clock
	Log       zerolog.Logger
}

// Ledger is an open ledger. Its methods may be called from any goroutine.
type Ledger struct {
	path  string
	make  bool // the file may be made
	now   func() time.Time
	log   zerolog.Logger
	retry time.Duration // how often a failing ledger is tried again
	lock  *lockFile     // nil until it could be taken; Open and watch use it, one after the other

	handles atomic.Pointer[handles] // nil while the ledger is unreadable
	jobs    chan *job
	health  health
	stop    context.CancelFunc
	done    sync.WaitGroup // the committer and watch
	closed  chan struct{}  // closed once the committer has ended
}

// Open opens the ledger and starts its goroutines; Close ends them. A ledger
// that cannot be used now (corrupt, gone, on a read-only file system) is
// opened all the same and answers ErrUnreadable until it can be: mailboxes
// without a guard must not suffer. Only a ledger that another process has open
// is an error, ErrInUse.
func Open(ctx context.Context, o Options) (*Ledger, error) { return open(ctx, o, retryEvery) }

func open(ctx context.Context, o Options, retry time.Duration) (*Ledger, error) {
	if _, err := os.Stat(o.Path); o.MustExist && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no ledger at %s", o.Path) // and nothing is left where one could be
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Ledger{
		path: o.Path, make: !o.MustExist, now: o.Now, log: o.Log, retry: retry,
		jobs: make(chan *job, maxBatch), stop: stop, closed: make(chan struct{}),
	}
	if err := l.reopen(ctx); errors.Is(err, ErrInUse) {
		stop()
		return nil, fmt.Errorf("open ledger: %w", err)
	} else if err != nil {
		l.fail(err, Unreadable)
	}
	l.done.Add(2)
	go func() { defer l.done.Done(); defer close(l.closed); l.commitLoop(ctx) }()
	go func() { defer l.done.Done(); l.watch(ctx) }()
	return l, nil
}

// reopen takes the lock if it is not ours yet, opens the file and puts it into
// use. A file is made only where there never was one.
func (l *Ledger) reopen(ctx context.Context) error {
	if l.lock == nil {
		held, err := lock(l.path)
		if err != nil {
			return err
		}
		l.lock = held
	}
	created := l.lock.created()
	if err := l.lock.sign(created); err != nil {
		return err
	}
	h, err := openHandles(ctx, l.path, l.make && !created)
	if err != nil {
		return err
	}
	if err := l.lock.sign(true); err != nil {
		return errors.Join(err, h.close())
	}
	l.use(h)
	return nil
}

func (l *Ledger) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// retire closes handles that are no longer in use.
func (l *Ledger) retire(h *handles) {
	if h == nil {
		return
	}
	if err := h.close(); err != nil {
		l.log.Warn().Err(err).Msg("close ledger")
	}
}

// Close ends the ledger's goroutines and closes the file. Commits under way
// are finished first; later ones get ErrClosed.
func (l *Ledger) Close() error {
	l.stop()
	l.done.Wait()
	var err error
	if h := l.handles.Swap(nil); h != nil {
		err = h.close()
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.release())
	}
	return err
}
