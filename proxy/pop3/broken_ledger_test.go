package pop3

import (
	"bytes"
	"os"
	"os/exec"
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

// fillDisk lets no file grow from now on.
func fillDisk(t *testing.T, w *world) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 0
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Second) // the last commit vouches for a second
}

// alone runs the test in a process of its own, which can do without a disk. It
// reports whether this is the one.
func alone(t *testing.T) bool {
	t.Helper()
	const variable = "MAILGUARD_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}

// A session that is open when the ledger fails reads on and deletes nothing;
// nobody is let in to a guarded mailbox; what is not guarded does not suffer.
func TestLedgerFails(t *testing.T) {
	for name, fail := range breakLedger {
		t.Run(name, func(t *testing.T) { ledgerFails(t, fail) })
	}
}

func TestLedgerIsFull(t *testing.T) {
	if alone(t) {
		ledgerFails(t, fillDisk)
	}
}

func ledgerFails(t *testing.T, fail func(*testing.T, *world)) {
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
	if !alone(t) {
		return
	}
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	c := w.open(box, "alice")
	c.list("RETR 1")
	fillDisk(t, w)
	c.quit()
	w.has(box, "u1")
}

// ledger_readonly: read lets sessions in to read, with the view of before.
func TestReadOn(t *testing.T) {
	if !alone(t) {
		return
	}
	w := newWorld(t, func(s *setup) { s.guard.ReadOn = true })
	box := w.box("pair@example.com", 100, 200, 300)
	c := w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.upstream.Deliver(box, mail(4, 400))
	fillDisk(t, w)
	for range 2 { // the first one notices, the second knows
		c = w.open(box, "alice")
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
