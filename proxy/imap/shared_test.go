package imap

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mailguard/proxy"
)

// withShared has other users' folders below a prefix.
func withShared(s *setup) {
	s.server.Namespaces = []Namespace{{Prefix: "shared/{user}/", Mailbox: "{user}"}}
}

// A folder of a guarded mailbox is guarded in whatever login it is opened, and
// is the same folder there as for its owner.
func TestSharedNamespace(t *testing.T) {
	w := newWorld(t, withShared)
	box, own := w.box("mixed@example.com", 100, 200, 300), w.box("own@example.com", 100)
	w.folder(t, own, "Keep")
	w.upstream.Grant(box, own, "lrswipkxtea")
	owner := w.enter(t, box, "alice")
	c := w.login(t, own, "alice")
	for _, name := range []string{"shared/mixed@example.com/INBOX", "shared/mixed@example.com", "shared/mixed@example.com/inbox"} {
		if _, answer := c.do("SELECT " + name); !strings.HasPrefix(answer, "OK ") {
			continue // the server knows it by another name
		}
		c.say(`STORE 2 +FLAGS.SILENT (\Deleted \Seen)`, "NO [NOPERM] "+askCarol)
		c.say("MOVE 2 Keep", "NO*")
		c.ok("EXPUNGE")
		c.ok("CLOSE")
	}
	for _, command := range []string{
		"DELETE shared/mixed@example.com", "DELETE shared/mixed@example.com/INBOX", "RENAME shared/mixed@example.com x", "DELETE shared", "RENAME shared x",
		"RENAME shared/mixed@example.com/INBOX x",
	} {
		c.say(command, "NO*")
	}
	w.gone(t, box, 3)
	c.ok("SELECT shared/mixed@example.com/INBOX")
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	owner.say("NOOP", "OK*") // perhaps alice there and alice here are one
	c.ok("EXPUNGE")
	w.gone(t, box, 3, 1)
	c.ok("SELECT INBOX") // which nobody guards
	c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.ok("EXPUNGE")
	w.gone(t, own, 1, 1)
}

// A shared folder of which the configuration says nothing: nothing is deleted.
func TestUnknownNamespace(t *testing.T) {
	w := newWorld(t)
	box, own := w.box("allow@example.com", 100, 200), w.box("own@example.com", 100)
	w.upstream.Grant(box, own, "lrswipkxtea")
	c := w.login(t, own, "")
	c.ok("SELECT shared/allow@example.com/INBOX")
	c.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	c.do("EXPUNGE")
	c.do("MOVE 1 INBOX")
	c.do("UID MOVE 1 INBOX")
	c.do("CLOSE")
	c.say("DELETE shared/allow@example.com/INBOX", "NO*")
	w.gone(t, box, 2)
}

// A bug that the pump meets in a response takes no lock with it.
func TestABugKeepsNoLock(t *testing.T) {
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	s := newSession(&Options{Now: time.Now, Log: zerolog.Nop()}, proxy.NewConn(far, proxy.Client), "bug")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no bug")
			}
		}()
		_ = s.respondAlone(nil)
	}()
	if !s.out.TryLock() {
		t.Error("the output is locked")
	}
}
