package imap

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailguard/demo/upstream"
	"mailguard/ledger"
)

// breakLedger are ways in which a ledger stops working.
var breakLedger = map[string]func(t *testing.T, w *world){
	"closed": func(t *testing.T, w *world) {
		t.Helper()
		if err := w.ledger.Close(); err != nil {
			t.Fatal(err)
		}
	},
	"gone": func(t *testing.T, w *world) {
		t.Helper()
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

// A ledger that fails: nothing is removed, the client is told that it is for
// now, reading goes on, and what is not guarded does not suffer.
func TestLedgerFails(t *testing.T) {
	for name, fail := range breakLedger {
		t.Run(name, func(t *testing.T) { ledgerFails(t, fail, `1 (\Seen), 2 (), 3 ()`) })
	}
}

func TestLedgerIsFull(t *testing.T) {
	if alone(t) { // what is known can still be read
		ledgerFails(t, fillDisk, `1 (\Seen \Deleted), 2 (), 3 ()`)
	}
}

// ledgerFails takes what a new session sees of marks afterwards.
func ledgerFails(t *testing.T, fail func(*testing.T, *world), later string) {
	w := newWorld(t)
	box, own, watch := w.box("allow@example.com", 100, 200, 300), w.box("own@example.com", 100, 200), w.box("watch@example.com", 100, 200)
	w.folder(t, box, "Keep")
	c, unmarked, closing := w.enter(t, box, "alice"), w.enter(t, box, "bob"), w.enter(t, box, "alice")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	fail(t, w)
	const refused = "NO [UNAVAILABLE]*"
	c.say(`STORE 1:2 +FLAGS.SILENT (\Deleted \Seen)`, refused)
	c.say(`STORE 2 -FLAGS.SILENT (\Seen)`, "OK*")
	c.shows(`1 (\Seen \Deleted), 2 (), 3 ()`)
	c.say("EXPUNGE", refused)
	c.say("UID EXPUNGE 1", refused)
	c.say("MOVE 2 Keep", refused)
	c.say("DELETE Keep", "NO*")
	c.say(`STORE 1 -FLAGS.SILENT (\Deleted)`, refused)
	if got := c.ok("FETCH 2 BODY.PEEK[]"); !strings.Contains(got[0], string(mail(2, 200))) {
		t.Errorf("FETCH: %q", got)
	}
	c.finds("SEARCH DELETED", "1")
	unmarked.ok("EXPUNGE") // there is nothing that could be refused
	unmarked.ok("CLOSE")
	closing.ok("CLOSE")
	c.ok("CLOSE")
	c.ok("SELECT INBOX")
	c.shows(later)
	c.do(`STORE 2 -FLAGS.SILENT (\Seen)`)
	c.say(`STORE 2 +FLAGS.SILENT (\Deleted)`, refused)
	c.say("UID MOVE 2 Keep", refused)
	c.logout()
	c = w.enter(t, box, "bob")
	c.say(`STORE 2 +FLAGS.SILENT (\Deleted)`, refused)
	c.logout()
	w.gone(t, box, 3)
	if got := w.received("EXPUNGE", "UID EXPUNGE", "CLOSE", "UID MOVE", "MOVE", "DELETE"); len(got) > 0 {
		t.Errorf("the upstream received %q", got)
	}
	for _, box := range []string{own, watch} {
		c := w.enter(t, box, "alice")
		c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		c.ok("EXPUNGE")
		c.logout()
		w.gone(t, box, 2, 1)
	}
}

// A ledger that fails in the middle of a deletion: before it is on record
// nothing is removed; behind that, only what was to be.
func TestLedgerFailsInBetween(t *testing.T) {
	for _, test := range []struct {
		command, at, answer string
		gone                []uint32
	}{
		{"EXPUNGE", "UID FETCH", "NO [UNAVAILABLE]*", nil},
		{"EXPUNGE", "UID STORE", "OK*", []uint32{1}},
		{"EXPUNGE", "UID EXPUNGE", "OK*", []uint32{1}},
		{"EXPUNGE", "UID SEARCH", "OK*", []uint32{1}},
		{"CLOSE", "UID FETCH", "OK*", nil},
		{"CLOSE", "UID STORE", "OK*", []uint32{1}},
		{"UID MOVE 1:2 Keep", "UID FETCH", "NO [UNAVAILABLE]*", nil},
		{"UID MOVE 1:2 Keep", "UID MOVE", "OK*", []uint32{1, 2}},
		{`UID STORE 2 +FLAGS (\Deleted)`, "UID FETCH", "NO [UNAVAILABLE]*", nil},
	} {
		t.Run(test.command+" "+test.at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box := w.box("allow@example.com", 100, 200, 300)
			w.folder(t, box, "Keep")
			c := w.enter(t, box, "alice")
			c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			w.on(box, func(command string) upstream.Action {
				if strings.HasPrefix(command, test.at) {
					_ = w.ledger.Close() // again does no harm
				}
				return upstream.Action{}
			})
			c.say(test.command, test.answer)
			c.ok("NOOP")
			w.gone(t, box, 3, test.gone...)
		})
	}
}
