package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// State is how far a ledger can be used.
type State int

// The states, from good to bad.
const (
	Healthy    State = iota
	ReadOnly         // can be read, not written: disk full, file system read-only
	Unreadable       // gone or corrupt
)

// The errors by which callers tell what can be done: nothing was written.
var (
	ErrReadOnly   = errors.New("the ledger cannot be written")
	ErrUnreadable = errors.New("the ledger cannot be read")
	ErrClosed     = errors.New("the ledger is closed")
)

// health is what is known of the file. It is shared by all goroutines. The
// handles change under mu together with the state: a healthy ledger has some.
type health struct {
	mu        sync.Mutex
	state     State
	lastWrite time.Time // of the last commit that succeeded
}

// How often a failing ledger is tried again, and how long one good commit
// vouches for the next.
const (
	retryEvery = 2 * time.Second
	vouches    = time.Second
)

// minFree is the free space, in bytes, below which a ledger counts as full: a
// deletion is refused while there is still room to finish what was begun.
const minFree = 4 << 20

func (h *health) wrote(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastWrite = now
}

// State returns the present state, without trying anything.
func (l *Ledger) State() State {
	l.health.mu.Lock()
	defer l.health.mu.Unlock()
	return l.health.state
}

// Writable returns nil if a deletion could be recorded now, else ErrReadOnly
// or ErrUnreadable. It writes to the file unless somebody just did.
func (l *Ledger) Writable(ctx context.Context) error {
	if l.isClosed() {
		return ErrClosed
	}
	if err := stateError(l.State()); err != nil {
		return err
	}
	if err := enoughSpace(l.path); err != nil {
		l.fail(err, ReadOnly)
		return l.classify(err)
	}
	l.health.mu.Lock()
	fresh := l.now().Sub(l.health.lastWrite) < vouches
	l.health.mu.Unlock()
	if fresh {
		return nil
	}
	return l.heartbeat(ctx)
}

func (l *Ledger) heartbeat(ctx context.Context) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at", l.now().UnixMilli())
		return err
	})
}

// tryToGrow writes more than a heartbeat, which may find a place in a file that
// is full: without it a full ledger would seem to recover again and again.
func (l *Ledger) tryToGrow(ctx context.Context) error {
	return l.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, query := range []string{"CREATE TABLE growth (x)", "INSERT INTO growth VALUES (zeroblob(65536))", "DROP TABLE growth"} {
			if _, err := tx.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
}

var errFull = errors.New("file system is full")

func enoughSpace(path string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return nil //nolint:nilerr // a file that is gone is noticed by watch, with a better word
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minFree { //nolint:gosec // a block size is not negative
		return fmt.Errorf("%w: %d bytes free, %d needed", errFull, free, minFree)
	}
	return nil
}

func stateError(s State) error {
	switch s {
	case ReadOnly:
		return ErrReadOnly
	case Unreadable:
		return ErrUnreadable
	default:
		return nil
	}
}

// watch tries a failing ledger again until it recovers, and notices a file
// that was removed or replaced under us.
func (l *Ledger) watch(ctx context.Context) {
	tick := time.NewTicker(l.retry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = l.checkFile()
		if err := l.recover(ctx); err != nil {
			l.log.Debug().Err(err).Msg("ledger still fails")
		}
	}
}

// checkFile notices that the file under the path is no longer the one that
// is open: what is written to the old one would be lost at the next start. It
// returns the handles if they are of the right file.
func (l *Ledger) checkFile() *handles {
	h := l.handles.Load()
	if h == nil {
		return nil
	}
	if now, err := os.Stat(l.path); err != nil || !os.SameFile(now, h.file) {
		l.fail(fmt.Errorf("%s was removed or replaced while it was open", l.path), Unreadable)
		return nil
	}
	return h
}

// recover tries once to get a failing ledger back into use.
func (l *Ledger) recover(ctx context.Context) error {
	switch l.State() {
	case Unreadable:
		if err := l.reopen(ctx); err != nil {
			return err
		}
	case ReadOnly:
		if err := enoughSpace(l.path); err != nil {
			return err
		}
		if err := l.tryToGrow(ctx); err != nil {
			return err
		}
		if !l.writableAgain() {
			return nil
		}
	default:
		return nil
	}
	l.log.Info().Str("ledger", l.path).Msg("ledger works again")
	return nil
}

// writableAgain ends the state ReadOnly, if it still is that one.
func (l *Ledger) writableAgain() bool {
	l.health.mu.Lock()
	defer l.health.mu.Unlock()
	if l.health.state != ReadOnly {
		return false
	}
	l.health.state = Healthy
	return true
}

// use puts newly opened handles into use.
func (l *Ledger) use(h *handles) {
	l.health.mu.Lock()
	old := l.handles.Swap(h)
	l.health.state = Healthy
	l.health.mu.Unlock()
	l.retire(old)
}

// worsen changes to a worse state and reports whether it is a change. An
// unreadable ledger has no handles.
func (l *Ledger) worsen(to State) bool {
	l.health.mu.Lock()
	if to <= l.health.state {
		l.health.mu.Unlock()
		return false
	}
	l.health.state = to
	var old *handles
	if to == Unreadable {
		old = l.handles.Swap(nil)
	}
	l.health.mu.Unlock()
	l.retire(old)
	return true
}

// fail notes that the ledger is in a worse state, and says so once.
func (l *Ledger) fail(err error, to State) {
	if !l.worsen(to) {
		return
	}
	e := l.log.Error().Err(err).Str("ledger", l.path)
	if to == Unreadable {
		e.Msg("ledger cannot be read: guarded mailboxes are closed to POP3 until it can")
	} else {
		e.Msg("ledger cannot be written: deletions in guarded mailboxes are refused until it can")
	}
}

// failWrite notes a failed commit; failRead a failed query.
func (l *Ledger) failWrite(err error) {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR:
		l.fail(err, ReadOnly)
	default:
		l.failRead(err)
	}
}

func (l *Ledger) failRead(err error) {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR:
		l.fail(err, Unreadable)
	}
}

// classify adds to a storage error what a caller can do about it.
func (l *Ledger) classify(err error) error {
	if err == nil || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrReadOnly) {
		return err
	}
	if state := stateError(l.State()); state != nil {
		return fmt.Errorf("%w: %w", state, err)
	}
	return err
}

// isStorageError reports whether an error came from SQLite rather than from
// what a job decided; the whole transaction is then in doubt.
func isStorageError(err error) bool { return code(err) != 0 }

// code is SQLite's primary result code of an error, 0 if it is none of
// SQLite's or a mere violation of a constraint.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	if primary := e.Code() & 0xff; primary != sqlite3.SQLITE_CONSTRAINT {
		return primary
	}
	return 0
}
