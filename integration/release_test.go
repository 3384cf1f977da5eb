package integration

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"mailguard/integration/imapconn"
)

// act is one member's deletion of the only message, by one protocol.
type act struct{ who, by string }

// acts are all that have to happen before everyone is done: alice uses POP3, bob
// and carol IMAP, dave both.
var acts = []act{{"alice", "pop3"}, {"bob", "imap"}, {"carol", "imap"}, {"dave", "pop3"}, {"dave", "imap"}}

func (a act) String() string { return a.who + " by " + a.by }

// In whatever order everyone deletes a message, it goes with the last of them, or
// at the next moment at which its flags can be read; never before.
func TestReleasedOnceEveryoneIsDone(t *testing.T) {
	p, g := behindGuard(t, options{members: "[alice, bob, carol, dave]"})
	for _, a := range acts { // everybody is known
		a.visits(t, g)
	}
	random := rand.New(rand.NewPCG(5, 5))
	for n := range 12 {
		order := random.Perm(len(acts))
		deliver(t, p.dovecot, mailbox, fmt.Sprintf("message %d", n))
		var done []string
		for i, which := range order {
			if left := stored(t, p.dovecot, mailbox); left != 1 {
				t.Fatalf("after %v: %d messages at the server", done, left)
			}
			acts[which].deletes(t, g)
			done = append(done, acts[which].String())
			if i == len(order)-1 && acts[which].by == "pop3" {
				act{"bob", "imap"}.visits(t, g)
			}
		}
		if left := stored(t, p.dovecot, mailbox); left != 0 {
			t.Fatalf("after %v everyone is done, and %d messages are at the server", done, left)
		}
	}
	out, status := g.run("audit", "--kind", "released")
	if status != 0 || strings.Count(out, "everyone is done with it") != 12 {
		t.Errorf("status %d, and the record of the releases:\n%s", status, out)
	}
}

// What a member keeps by a star stays, whatever everyone does; an administrator
// gives back what was deleted, pinned so that nobody removes it.
func TestRestoredOverIMAP(t *testing.T) {
	p, g := behindGuard(t, options{members: "[bob, carol]"})
	bob, carol := act{"bob", "imap"}, act{"carol", "imap"}
	bob.visits(t, g)
	carol.visits(t, g)
	deliver(t, p.dovecot, mailbox, "one")
	bob.deletes(t, g)
	open := bob.session(t, g)
	out, status := g.run("held", "restore", "1", "--member", "bob", "--pin", "--reason", "by mistake")
	if status != 0 {
		t.Fatalf("status %d: %s", status, out)
	}
	if untagged, _, err := open.Do("NOOP"); err == nil && !strings.Contains(strings.Join(untagged, "\n"), "BYE") {
		t.Errorf("bob's open session goes on without the message: %q", untagged)
	}
	if got := bob.counts(t, g); got != "* 1 EXISTS" {
		t.Errorf("bob sees %s", got)
	}
	carol.deletes(t, g) // refused: it is pinned
	bob.visits(t, g)
	if left := stored(t, p.dovecot, mailbox); left != 1 {
		t.Errorf("%d messages at the server", left)
	}
}

// session is a member's IMAP session with the inbox open.
func (a act) session(t *testing.T, g *guard) *imapconn.Conn {
	t.Helper()
	c, err := imapconn.Dial(t.Context(), g.imaps, &tls.Config{RootCAs: g.roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	a.says(t, c, "LOGIN "+mailbox+"#"+a.who+" "+password)
	a.says(t, c, "SELECT INBOX")
	return c
}

func (a act) says(t *testing.T, c *imapconn.Conn, command string) []string {
	t.Helper()
	untagged, tagged, err := c.Do(command)
	if err != nil || !strings.HasPrefix(tagged, "OK") {
		t.Fatalf("%s: %s: %s, %v", a, command, tagged, err)
	}
	return untagged
}

// visits looks at the mailbox and leaves.
func (a act) visits(t *testing.T, g *guard) {
	t.Helper()
	if a.by == "pop3" {
		s := g.must(mailbox + "#" + a.who)
		if _, err := s.command("QUIT"); err != nil {
			t.Fatal(err)
		}
		return
	}
	c := a.session(t, g)
	a.says(t, c, "NOOP")
	a.says(t, c, "LOGOUT")
}

func (a act) counts(t *testing.T, g *guard) string {
	t.Helper()
	c := a.session(t, g)
	for _, line := range a.says(t, c, "SELECT INBOX") {
		if strings.HasSuffix(line, "EXISTS") {
			return line
		}
	}
	return "nothing"
}

// deletes removes everything that the member sees.
func (a act) deletes(t *testing.T, g *guard) {
	t.Helper()
	if a.by == "pop3" {
		s := g.must(mailbox + "#" + a.who)
		for _, command := range []string{"DELE 1", "QUIT"} {
			if reply, err := s.command(command); err != nil || !strings.HasPrefix(reply, "+OK") {
				t.Fatalf("%s: %s: %s, %v", a, command, reply, err)
			}
		}
		return
	}
	c := a.session(t, g)
	_, _, _ = c.Do(`STORE 1:* +FLAGS.SILENT (\Deleted)`) // refused for what is pinned
	a.says(t, c, "EXPUNGE")
	a.says(t, c, "LOGOUT")
}
