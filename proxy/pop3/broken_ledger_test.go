package pop3

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"mailguard/ledger"
)

// breakLedger are ways in which a ledger stops working.
var breakLedger = map[string]func(t *testing.T, w *world){
	"closed": func(t *testing.T, w *world) {
		if err := w.ledger.Close(); err != nil {
			t.Fatal(err)
		}
	},
	"full": func(t *testing.T, w *world) {
		fillDisk(t)
		w.pass(2 * time.Second) // the last commit vouches for a second
	},
	"gone": func(t *testing.T, w *world) {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(w.path + suffix)
		}
		for deadline := time.Now().Add(patience); w.ledger.State() != ledger.Unreadable; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody notices that the ledger is gone")
			}
		}
	},
}

// fillDisk lets no file grow until the test ends.
func fillDisk(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	})
}

// A session that is open when the ledger fails reads on and deletes nothing;
// nobody is let in to a guarded mailbox; what is not guarded does not suffer.
func TestLedgerFails(t *testing.T) {
	for name, fail := range breakLedger {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withRules)
			guarded, others := []string{"pair@example.com", "mixed@example.com"}, []string{"own@example.com", "watch@example.com"}
			var open []*client
			for _, box := range append(guarded, others...) {
				w.box(box, 100, 200, 300)
			}
			for _, box := range guarded {
				c := w.open(box, "alice")
				c.say("DELE 1", "+OK*")
				open = append(open, c)
			}
			fail(t, w)
			for _, c := range open {
				refusedForNow(c)
			}
			for _, box := range guarded {
				notLetIn(w, box)
				w.has(box, "u1", "u2", "u3")
			}
			if sent := w.received("DELE"); len(sent) > 0 {
				t.Errorf("upstream received %q", sent)
			}
			for _, box := range others {
				unaffected(w, box)
			}
		})
	}
}

func refusedForNow(c *client) {
	c.tb.Helper()
	c.say("DELE 2", "-ERR [SYS/TEMP]*")
	c.say("DELE 3", "-ERR [SYS/TEMP]*")
	c.list("RETR 2")
	c.say("STAT", "+OK 2 500")
	c.say("QUIT", "-ERR [SYS/TEMP]*")
	c.ended()
}

func notLetIn(w *world, box string) {
	w.tb.Helper()
	c := w.dial()
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS "+password, "-ERR [SYS/TEMP]*")
	c.ended()
}

func unaffected(w *world, box string) {
	w.tb.Helper()
	c := w.open(box, "alice")
	c.say("UIDL", "+OK*", "1 u1", "2 u2", "3 u3", ".")
	c.list("RETR 1")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u2", "u3")
}

// A session without deletions ends in good order, whatever the ledger does.
func TestLedgerFailsAtQuit(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	c := w.open(box, "alice")
	c.list("RETR 1")
	fillDisk(t)
	c.quit()
	w.has(box, "u1")
}

// ledger_readonly: read lets sessions in to read, with the view of before.
func TestReadOn(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.guard.ReadOn = true })
	box := w.box("pair@example.com", 100, 200, 300)
	c := w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.upstream.Deliver(box, mail(4, 400))
	fillDisk(t)
	for range 2 { // the first one notices, or the second does
		c = w.dial()
		c.say("USER "+box+"#alice", "+OK*")
		if got := c.ask("PASS " + password); fits(got, "-ERR [SYS/TEMP]*") {
			continue
		}
		c.say("UIDL", "+OK*", "1 u2", "2 u3", "3 u4", ".")
		c.list("RETR 3")
		c.say("DELE 1", "-ERR [SYS/TEMP]*")
		c.say("STAT", "+OK 3 900")
		c.quit()
	}
	if w.ledger.State() != ledger.ReadOnly {
		t.Errorf("the ledger is %v", w.ledger.State())
	}
	w.has(box, "u1", "u2", "u3", "u4")
}
