package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// job is one session's work for the committer.
type job struct {
	ctx    context.Context
	run    func(ctx context.Context, tx *sql.Tx) error
	result chan error // holds one value: the committer never waits
}

// maxBatch is how many jobs share one transaction: with it a busy guard needs
// one fsync for many sessions, and nobody waits for more than one batch.
const maxBatch = 512

// commit runs a function in a transaction and returns nil once what it wrote
// is on the disk. The function may be called from another goroutine, and only
// until commit returns. An error means that nothing of it was written: a job
// that was not begun when ctx ended is dropped, one that was begun is waited
// for, so that the outcome is always known: the function gets a context that
// does not end. A statement interrupted in the middle would undo the whole
// transaction, and with it what other sessions have written in it.
func (l *Ledger) commit(ctx context.Context, run func(ctx context.Context, tx *sql.Tx) error) error {
	j := &job{ctx: ctx, run: run, result: make(chan error, 1)}
	select {
	case l.jobs <- j:
	case <-ctx.Done():
		return fmt.Errorf("write ledger: %w", ctx.Err())
	case <-l.closed:
		return ErrClosed
	}
	select {
	case err := <-j.result:
		return err
	case <-l.closed: // the committer has ended: what has no result by now was never begun
		select {
		case err := <-j.result:
			return err
		default:
			return ErrClosed
		}
	}
}

// commitLoop is the committer. What waits when the ledger is closed is still
// written.
func (l *Ledger) commitLoop(ctx context.Context) {
	for {
		select {
		case j := <-l.jobs:
			l.commitBatch(append([]*job{j}, l.waiting()...))
		case <-ctx.Done():
			for rest := l.waiting(); len(rest) > 0; rest = l.waiting() {
				l.commitBatch(rest)
			}
			return
		}
	}
}

// waiting takes what else is in the queue.
func (l *Ledger) waiting() []*job {
	var more []*job
	for len(more) < maxBatch-1 {
		select {
		case j := <-l.jobs:
			more = append(more, j)
		default:
			return more
		}
	}
	return more
}

// commitBatch runs the jobs in one transaction. A job that fails is undone
// alone; if the transaction fails, all of them did.
func (l *Ledger) commitBatch(batch []*job) {
	results := make([]error, len(batch))
	err := l.runBatch(batch, results)
	if err != nil {
		l.failWrite(err)
	} else {
		l.health.wrote(l.now())
	}
	for i, j := range batch {
		if err != nil {
			j.result <- l.classify(err)
			continue
		}
		j.result <- results[i]
	}
}

func (l *Ledger) runBatch(batch []*job, results []error) error {
	h := l.checkFile() // what is written to a file that was removed is lost
	if h == nil {
		return ErrUnreadable
	}
	tx, err := h.write.Begin()
	if err != nil {
		return err
	}
	for i, j := range batch {
		if results[i] = runJob(tx, j); isStorageError(results[i]) {
			return errors.Join(results[i], tx.Rollback())
		}
	}
	return tx.Commit()
}

// runJob runs one job within a savepoint.
func runJob(tx *sql.Tx, j *job) error {
	if err := j.ctx.Err(); err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if _, err := tx.Exec("SAVEPOINT job"); err != nil {
		return err
	}
	err := j.run(context.WithoutCancel(j.ctx), tx)
	if err != nil {
		_, undo := tx.Exec("ROLLBACK TO job")
		err = errors.Join(err, undo)
	}
	_, end := tx.Exec("RELEASE job")
	return errors.Join(err, end)
}
