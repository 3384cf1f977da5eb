package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// addMailbox writes a row that can be counted.
func addMailbox(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO mailboxes (name, watched_since) VALUES (?, 0)", name)
	return err
}

func (f *fixture) mailboxes() int64 { return f.number("SELECT count(*) FROM mailboxes") }

// occupy keeps the committer busy until the function that it returns is
// called. What is given to commit meanwhile waits in the queue.
func (f *fixture) occupy() (release func()) {
	begun, wait, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = f.commit(context.Background(), func(context.Context, *sql.Tx) error {
			close(begun)
			<-wait
			return nil
		})
	}()
	<-begun
	return func() { close(wait); <-done }
}

// enqueue gives jobs to an occupied committer and returns once they wait.
func (f *fixture) enqueue(ctx context.Context, jobs ...func(context.Context, *sql.Tx) error) (results func() []error) {
	errs := make([]error, len(jobs))
	var all sync.WaitGroup
	for i, run := range jobs {
		all.Go(func() { errs[i] = f.commit(ctx, run) })
		eventually(f.tb, "the job waits", func() bool { return len(f.jobs) == i+1 })
	}
	return func() []error { all.Wait(); return errs }
}

func TestCommitsShareATransaction(t *testing.T) {
	f := newFixture(t)
	release := f.occupy()
	var shared *sql.Tx
	var jobs []func(context.Context, *sql.Tx) error
	for i := range 100 {
		jobs = append(jobs, func(ctx context.Context, tx *sql.Tx) error {
			if shared == nil {
				shared = tx
			}
			if tx != shared {
				t.Error("a second transaction")
			}
			return addMailbox(ctx, tx, fmt.Sprint(i))
		})
	}
	results := f.enqueue(t.Context(), jobs...)
	release()
	if err := errors.Join(results()...); err != nil || f.mailboxes() != 100 {
		t.Errorf("%d rows, %v", f.mailboxes(), err)
	}
}

func TestAFailingJobIsUndoneAlone(t *testing.T) {
	errJob := errors.New("the job's own")
	tests := []struct {
		name string
		run  func(context.Context, *sql.Tx) error
		want error
	}{
		{"its own error", func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(addMailbox(ctx, tx, "half"), errJob)
		}, errJob},
		{"a constraint", func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(addMailbox(ctx, tx, "half"), addMailbox(ctx, tx, "half"))
		}, nil},
		{"a foreign key", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO members (mailbox_id, name) VALUES (12345, 'x')")
			return err
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			good := func(name string) func(context.Context, *sql.Tx) error {
				return func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, name) }
			}
			release := f.occupy()
			results := f.enqueue(t.Context(), good("one"), test.run, good("two"))
			release()
			errs := results()
			if errs[0] != nil || errs[2] != nil || errs[1] == nil || (test.want != nil && !errors.Is(errs[1], test.want)) {
				t.Errorf("errors %v", errs)
			}
			if n := f.mailboxes(); n != 2 || f.State() != Healthy {
				t.Errorf("%d rows, state %d", n, f.State())
			}
		})
	}
}

// An error of the storage puts all of a batch in doubt: all of them fail, and
// nothing of them is there.
func TestAStorageErrorFailsTheBatch(t *testing.T) {
	f := newFixture(t)
	release := f.occupy()
	good := func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, "good") }
	bad := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "no such statement")
		return err
	}
	results := f.enqueue(t.Context(), good, bad)
	release()
	for i, err := range results() {
		if err == nil {
			t.Errorf("job %d is told that it was written", i)
		}
	}
	if f.mailboxes() != 0 {
		t.Error("half of a batch was written")
	}
	if err := f.commit(t.Context(), good); err != nil || f.mailboxes() != 1 {
		t.Errorf("the next batch suffers: %v", err)
	}
}

// A transaction that cannot be committed does not stay open.
func TestAFailingCommit(t *testing.T) {
	f := newFixture(t)
	err := f.commit(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO members (mailbox_id, name) VALUES (12345, 'x')")
		return err
	})
	if err == nil {
		t.Fatal("it was committed")
	}
	if err := f.commit(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, "next") }); err != nil {
		t.Errorf("the next one suffers: %v", err)
	}
}

func TestContextEndsBeforeTheJobBegins(t *testing.T) {
	f := newFixture(t)
	release := f.occupy()
	ctx, cancel := context.WithCancel(t.Context())
	results := f.enqueue(ctx, func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, "late") })
	cancel()
	release()
	if err := results()[0]; !errors.Is(err, context.Canceled) || f.mailboxes() != 0 {
		t.Errorf("%d rows, %v", f.mailboxes(), err)
	}
	if err := f.commit(ctx, func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, "late") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A session that is lost in the middle of its job does not take the others of
// the batch with it; its own job is finished.
func TestContextEndsWhileTheJobRuns(t *testing.T) {
	f := newFixture(t)
	release := f.occupy()
	ctx, cancel := context.WithCancel(t.Context())
	first := f.enqueue(t.Context(), func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, "other") })
	errs := make(chan error, 1)
	go func() {
		errs <- f.commit(ctx, func(ctx context.Context, tx *sql.Tx) error {
			cancel()
			return errors.Join(addMailbox(ctx, tx, "one"), addMailbox(ctx, tx, "two"))
		})
	}()
	eventually(t, "both wait", func() bool { return len(f.jobs) == 2 })
	release()
	if err := errors.Join(append(first(), <-errs)...); err != nil || f.mailboxes() != 3 {
		t.Errorf("%d rows, %v", f.mailboxes(), err)
	}
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	path := t.TempDir() + "/ledger.db"
	f := openFixture(t, path)
	release := f.occupy()
	const n = maxBatch // as many as the queue holds
	var jobs []func(context.Context, *sql.Tx) error
	for i := range n {
		jobs = append(jobs, func(ctx context.Context, tx *sql.Tx) error { return addMailbox(ctx, tx, fmt.Sprint(i)) })
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, run := range jobs {
		all.Go(func() { errs[i] = f.commit(context.Background(), run) })
	}
	eventually(t, "all wait", func() bool { return len(f.jobs) == n })
	f.stop()
	closed := make(chan error, 1)
	go func() { closed <- f.Close() }()
	release()
	all.Wait()
	if err := errors.Join(append(errs, <-closed)...); err != nil {
		t.Fatal(err)
	}
	if got := openFixture(t, path).mailboxes(); got != n {
		t.Errorf("%d of %d rows", got, n)
	}
}

// Whoever commits while the ledger is being closed knows whether it was
// written.
func TestCommitsMeetClose(t *testing.T) {
	path := t.TempDir() + "/ledger.db"
	f := openFixture(t, path)
	var mu sync.Mutex
	written := int64(0)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := 0; ; j++ {
				err := f.commit(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
					return addMailbox(ctx, tx, fmt.Sprint(i, " ", j))
				})
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				written++
				mu.Unlock()
			}
		})
	}
	eventually(t, "some are written", func() bool { return f.mailboxes() > 20 })
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if got := openFixture(t, path).mailboxes(); got != written {
		t.Errorf("%d rows, %d said to be written", got, written)
	}
}
