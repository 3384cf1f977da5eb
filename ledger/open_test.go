package ledger

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/policy"
)

func TestReopenKeepsWhatWasDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name%20?#.db")
	f := openFixture(t, path)
	s := f.enter("alice", mail("a", 1), mail("b", 1))
	s.dele(policy.Deferred, s.IDs[0])
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	g := openFixture(t, path)
	g.clock.pass(time.Hour)
	again := g.enter("alice", mail("a", 1), mail("b", 1))
	if again.IDs[0] != s.IDs[0] || !again.Hidden[0] || again.Hidden[1] {
		t.Errorf("ids %v then %v, hidden %v", s.IDs, again.IDs, again.Hidden)
	}
}

func TestConnectionsAreDurable(t *testing.T) {
	f := newFixture(t)
	h := f.handles.Load()
	for _, test := range []struct{ pragma, write, read string }{
		{"journal_mode", "wal", "wal"},
		{"synchronous", "2", "2"},
		{"foreign_keys", "1", "1"},
		{"busy_timeout", "5000", "5000"},
		{"query_only", "0", "1"},
	} {
		var write, read string
		if err := h.write.QueryRow("PRAGMA " + test.pragma).Scan(&write); err != nil {
			t.Fatal(err)
		}
		if err := h.read.QueryRow("PRAGMA " + test.pragma).Scan(&read); err != nil {
			t.Fatal(err)
		}
		if write != test.write || read != test.read {
			t.Errorf("%s is %s and %s, want %s and %s", test.pragma, write, read, test.write, test.read)
		}
	}
}

func TestSecondHandleIsRefused(t *testing.T) {
	f := newFixture(t)
	_, err := Open(context.Background(), Options{Path: f.path, Now: time.Now, Log: noLog()})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("error %v", err)
	}
	if err := f.heartbeat(t.Context()); err != nil {
		t.Errorf("the first one suffers: %v", err)
	}
}

// A process that cannot use its ledger has it all the same.
func TestUnreadableLedgerIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	openFixture(t, path)
	_, err := Open(context.Background(), Options{Path: path, Now: time.Now, Log: noLog()})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("error %v", err)
	}
}

func TestMustExist(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	if l, err := Open(t.Context(), Options{Path: path, MustExist: true, Now: time.Now, Log: noLog()}); err == nil {
		l.Close()
		t.Error("it was opened")
	}
	// Nothing is left there either: a lock of root's would keep the server out.
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Who fetched what is nobody else's business.
func TestLedgerIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	f := openFixture(t, path)
	f.enter("alice", mail("a", 1))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("ledger.db%s: %o", suffix, mode)
		}
	}
}

// An empty ledger in place of the one that was here would show every client
// everything again.
func TestVanishedLedgerIsNotReplaced(t *testing.T) {
	tests := []struct {
		name   string
		damage func(path string) error
	}{
		{"removed", os.Remove},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }},
		{"replaced by an empty database", emptyDatabase},
		{"replaced by something else", func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600)
		}},
		{"a page overwritten", func(path string) error { return overwrite(path, 4096, 4096) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			f := openFixture(t, path)
			s := f.enter("alice", mail("a", 1))
			s.dele(policy.Deferred, s.IDs...)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			kept, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.damage(path); err != nil {
				t.Fatal(err)
			}
			g := openFixture(t, path)
			checkUnreadable(t, g)
			for range 3 { // it is not made by trying again either
				_ = g.recover(t.Context())
			}
			checkUnreadable(t, g)
			restore(t, path, kept)
			eventually(t, "the ledger works again", func() bool { return g.State() == Healthy })
			g.clock.pass(time.Hour)
			if again := g.enter("alice", mail("a", 1)); !again.Hidden[0] {
				t.Error("what was deleted is visible")
			}
		})
	}
}

// emptyDatabase is what a command-line tool leaves that was called in the
// wrong place.
// restore puts a ledger back as an administrator does: in one step, since it
// is tried to be opened all the time, and without another file's log beside it.
func restore(t *testing.T, path string, kept []byte) {
	t.Helper()
	if err := os.WriteFile(path+".restored", kept, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path+".restored", path); err != nil {
		t.Fatal(err)
	}
}

func emptyDatabase(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		return err
	}
	_, err = db.Exec("CREATE TABLE other (x)")
	return errors.Join(err, db.Close())
}

func overwrite(path string, at int64, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strings.Repeat("\xa5", n)), at)
	return errors.Join(err, f.Close())
}

// checkUnreadable checks that every kind of call says so.
func checkUnreadable(t *testing.T, f *fixture) {
	t.Helper()
	v := f.visit("alice")
	_, openErr := f.OpenMaildrop(t.Context(), v, nil)
	_, readErr := f.ReadMaildrop(t.Context(), v, nil)
	_, recordErr := f.Record(t.Context(), v, &Maildrop{}, Record{})
	_, everyoneErr := f.Everyone(t.Context(), box)
	_, namedErr := f.NamedMembers(t.Context())
	_, lookupErr := f.Lookup(t.Context(), box, 1)
	for name, err := range map[string]error{
		"Writable": f.Writable(t.Context()), "OpenMaildrop": openErr, "ReadMaildrop": readErr, "Record": recordErr,
		"Arrive": f.Arrive(t.Context(), v), "Everyone": everyoneErr, "NamedMembers": namedErr, "Lookup": lookupErr,
	} {
		if !errors.Is(err, ErrUnreadable) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if n := f.log.count(`"level":"error"`); n != 1 {
		t.Errorf("%d errors in the log, want 1", n)
	}
}

// A ledger that was begun and never finished may be begun again.
func TestInterruptedCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := openFixture(t, path); f.State() != Healthy {
		t.Error("an empty file is no ledger to begin with")
	}
}

func TestVanishedWhileOpen(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs...)
	if err := os.Rename(f.path, f.path+".away"); err != nil {
		t.Fatal(err)
	}
	// Nothing may be promised on a file that nobody will find again.
	if _, err := f.Record(t.Context(), s.visit, s.Maildrop, Record{Decisions: decisions(policy.Deferred, s.IDs...)}); !errors.Is(err, ErrUnreadable) {
		t.Errorf("error %v", err)
	}
	checkUnreadable(t, f)
	if _, err := os.Stat(f.path); err == nil {
		t.Error("an empty one was made")
	}
	if err := os.Rename(f.path+".away", f.path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ledger works again", func() bool { return f.State() == Healthy })
	if again := f.enter("alice", mail("a", 1)); !again.Hidden[0] {
		t.Error("what was deleted is visible")
	}
	if n := f.log.count("works again"); n != 1 {
		t.Errorf("%d times said that it works again", n)
	}
}

func TestWatchNoticesAReplacedFile(t *testing.T) {
	f := newFixture(t)
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is noticed", func() bool { return f.State() == Unreadable })
}

func TestOpenWithoutADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "ledger.db")
	f := openFixture(t, path)
	if f.State() != Unreadable {
		t.Fatal("it works")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ledger is made", func() bool { return f.State() == Healthy })
}

func TestCloseOfAnUnusableLedger(t *testing.T) {
	f := &fixture{tb: t, clock: newClock(), log: &logged{}}
	l, err := open(context.Background(), Options{Path: t.TempDir(), Now: f.clock.Now, Log: zerolog.New(f.log)}, quickly)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
