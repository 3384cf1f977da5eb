package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of 16 MiB for the ledger.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		need(t, fmt.Errorf("mounting a small file system needs root: %w", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room on a file system; the function it returns makes room.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); err != nil {
			break // full, which is what was wanted
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Error(err)
		}
	}
}

const temporary = "-ERR [SYS/TEMP]"

// wantTemporary checks that an error is a temporary refusal.
func wantTemporary(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), temporary) {
		t.Errorf("%s: got %v, want %s", what, err, temporary)
	}
}

// eventually tries until it works: a ledger is tried again every two seconds.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for range 100 {
		if err = f(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%s: still %v", what, err)
}

// wantUnaffected checks that a mailbox without a guard notices nothing: its
// owner reads and deletes.
func wantUnaffected(t *testing.T, g *guard) {
	t.Helper()
	s, err := g.logIn(private)
	if err != nil {
		t.Errorf("a mailbox without a guard: %v", err)
		return
	}
	defer s.conn.Close()
	for _, command := range []string{"STAT", "DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Errorf("a mailbox without a guard: %s: %v", command, err)
		}
	}
}

// readsOn checks that a session reads its first message.
func readsOn(t *testing.T, what string, s *session) {
	t.Helper()
	if text, err := s.lines("RETR 1"); err != nil || len(text) == 0 {
		t.Errorf("%s: RETR: %d lines, %v", what, len(text), err)
	}
}

func TestLedgerFull(t *testing.T) {
	d := startDovecot(t, nil)
	disk := smallDisk(t)
	g := startGuard(t, d.POP3(), options{ledgerDir: disk})
	deliver(t, d, mailbox, "one", "two")
	deliver(t, d, private, "own")
	open := g.must(mailbox + "#alice")
	quitting := g.must(mailbox + "#bob")
	if _, err := quitting.command("DELE 1"); err != nil {
		t.Fatal(err)
	}
	empty := fill(t, disk)
	time.Sleep(1100 * time.Millisecond) // the last good commit vouches for a second

	readsOn(t, "open session", open)
	_, err := open.command("DELE 1")
	wantTemporary(t, "DELE in an open session", err)
	_, err = quitting.command("QUIT")
	if err != nil {
		wantTemporary(t, "QUIT of an open session that has deleted", err)
	}
	_, err = g.logIn(mailbox + "#carol")
	wantTemporary(t, "new session", err)
	wantUnaffected(t, g)
	if n := stored(t, d, mailbox); n != 2 {
		t.Errorf("%d of 2 messages are left", n)
	}
	if n := strings.Count(g.log.String(), `"level":"error"`); n < 1 || n > 2 {
		t.Errorf("%d lines of errors in the log, want one that says it (and one of the QUIT)", n)
	}
	empty()
	eventually(t, "new session after there is room", func() error {
		s, err := g.logIn(mailbox + "#carol")
		if err == nil {
			s.conn.Close()
		}
		return err
	})
	if _, err := open.command("DELE 1"); err != nil {
		t.Errorf("DELE in the session that was open all the time: %v", err)
	}
	if _, err := open.command("QUIT"); err != nil {
		t.Errorf("QUIT: %v", err)
	}
}

func TestLedgerReadonlyReadLetsInToRead(t *testing.T) {
	d := startDovecot(t, nil)
	disk := smallDisk(t)
	g := startGuard(t, d.POP3(), options{ledgerDir: disk, extra: "ledger_readonly: read"})
	deliver(t, d, mailbox, "one", "two")
	s := g.must(mailbox + "#alice")
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Fatal(err)
		}
	}
	defer fill(t, disk)()
	time.Sleep(1100 * time.Millisecond)
	s, err := g.logIn(mailbox + "#alice")
	if err != nil {
		t.Fatalf("new session: %v", err)
	}
	defer s.conn.Close()
	if ids, err := s.uniqueIDs(); err != nil || len(ids) != 1 {
		t.Errorf("alice sees %v, %v; one of the two is hidden from her", ids, err)
	}
	readsOn(t, "new session", s)
	_, err = s.command("DELE 1")
	wantTemporary(t, "DELE", err)
	if _, err := s.command("QUIT"); err != nil {
		t.Errorf("QUIT without a deletion: %v", err)
	}
}

// A file system that turns read-only under the server: every write fails.
func TestLedgerOnAReadOnlyFileSystem(t *testing.T) {
	d := startDovecot(t, nil)
	disk := smallDisk(t)
	g := newGuard(t, d.POP3(), options{ledgerDir: disk})
	g.start()
	deliver(t, d, mailbox, "one")
	deliver(t, d, private, "own")
	g.must(mailbox + "#alice") // the ledger exists and knows the message
	g.kill()
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		need(t, err)
	}
	g.start()
	_, err := g.logIn(mailbox + "#alice")
	wantTemporary(t, "new session", err)
	wantUnaffected(t, g)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "new session once it can be written", func() error {
		s, err := g.logIn(mailbox + "#alice")
		if err == nil {
			s.conn.Close()
		}
		return err
	})
}

func TestLedgerCorrupt(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	deliver(t, d, mailbox, "one")
	deliver(t, d, private, "own")
	s := g.must(mailbox + "#alice")
	for _, command := range []string{"DELE 1", "QUIT"} {
		if _, err := s.command(command); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	ledger := filepath.Join(g.dir, "ledger.db")
	good, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string]func() error{
		"overwritten": func() error { return os.WriteFile(ledger, []byte(strings.Repeat("not a ledger ", 1000)), 0o600) },
		"cut":         func() error { return os.WriteFile(ledger, good[:len(good)/2], 0o600) },
		"gone":        func() error { return os.Remove(ledger) },
	} {
		t.Run(what, func(t *testing.T) {
			if err := bad(); err != nil {
				t.Fatal(err)
			}
			deliver(t, d, private, "own")
			g.start()
			_, err := g.logIn(mailbox + "#alice")
			wantTemporary(t, "new session", err)
			wantUnaffected(t, g)
			if err := os.WriteFile(ledger, good, 0o600); err != nil {
				t.Fatal(err)
			}
			eventually(t, "new session after the ledger was put back", func() error {
				s, err := g.logIn(mailbox + "#alice")
				if err != nil {
					return err
				}
				defer s.conn.Close()
				if ids, err := s.uniqueIDs(); err != nil || len(ids) != 0 {
					t.Errorf("alice sees %v, %v; what she deleted is to stay hidden", ids, err)
				}
				return nil
			})
			if err := g.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	if n := stored(t, d, mailbox); n != 1 {
		t.Errorf("%d messages are left, want the one that bob and carol have not seen", n)
	}
}

func TestSecondServerIsToldWhoHasTheLedger(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	out, status := g.run("serve")
	if status != 1 || !strings.Contains(out, fmt.Sprintf("process %d", g.process.Process.Pid)) {
		t.Errorf("a second server: status %d, %s", status, out)
	}
}
