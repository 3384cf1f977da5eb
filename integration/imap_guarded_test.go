package integration

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/integration/clients"
)

// behindGuard is a guard before a Dovecot of its own.
func behindGuard(t testing.TB, o options, users ...string) (place, *guard) {
	t.Helper()
	p := atDovecot(t, users...)
	o.imap = p.dovecot.IMAP()
	g := startGuard(t, p.dovecot.POP3(), o)
	p.imap, p.imaps, p.ca = g.imap, g.imaps, g.ca
	waitForListener(t, g.behind.imap)
	waitForListener(t, g.behind.imaps)
	return p, g
}

// waitForListener waits until somebody listens: the guard opens its listeners
// one after the other.
func waitForListener(t testing.TB, address string) {
	t.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", address)
}

// member is one of those who share the guarded mailbox.
func member(t testing.TB, p place, name string, c clients.IMAP) *reader {
	t.Helper()
	need(t, c.Installed())
	return &reader{place: p, client: c, user: mailbox + "#" + name, box: mailbox, dir: filepath.Join(t.TempDir(), name)}
}

// must does a job and expects that the client ends so.
func (r *reader) must(t testing.TB, job clients.Job, subject string, status int) {
	t.Helper()
	run, err := r.do(job, subject, false)
	if err != nil {
		t.Fatal(err)
	}
	if run.Exit != status {
		t.Errorf("%s: %s %s ended with status %d, want %d:\n%s", r.client.Name, job, subject, run.Exit, status, tail(run.Output))
	}
}

// inbox lists what is in INBOX at the server, where nothing may be marked as
// deleted: any other client would remove it.
func (r *reader) inbox(t testing.TB) []string {
	t.Helper()
	for _, m := range r.remote(t) {
		if strings.Contains(m.Flags, "T") {
			t.Errorf("%s in %s is marked as deleted for everybody", m.Subject, m.folder)
		}
	}
	return r.subjects(t, "INBOX")
}

// subjects lists a folder at the server.
func (r *reader) subjects(t testing.TB, folder string) []string {
	t.Helper()
	var all []string
	for _, m := range r.remote(t) {
		if m.folder == folder {
			all = append(all, m.Subject)
		}
	}
	return all
}

// atHome lists the client's own INBOX.
func (r *reader) atHome(t testing.TB) []string {
	t.Helper()
	messages, err := clients.ReadMaildir(filepath.Join(r.dir, "mail", "INBOX"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range messages {
		all = append(all, m.Subject)
	}
	return all
}

func same(t testing.TB, what string, got []string, want string) {
	t.Helper()
	if !slices.Equal(got, strings.Fields(want)) {
		t.Errorf("%s: %v, want %s", what, got, want)
	}
}

// refusals is how each client takes it that nothing may be deleted. The jobs
// are about the second of three messages; a client that deletes what it
// fetches is about all.
var refusals = []struct {
	client   clients.IMAP
	job      clients.Job
	exit     int    // of that job
	next     int    // of the next fetch
	home     string // what the client has after it
	archived string // copies that stay in Archive
}{
	{client: clients.Mbsync, job: clients.Delete, home: "one three"},
	{client: clients.MbsyncTrash, job: clients.Delete, exit: 1, next: 1, home: "one three"}, // tries again each time
	{client: clients.Mbsync, job: clients.Move, home: "one three", archived: "two"},
	{client: clients.OfflineIMAP, job: clients.Delete, exit: 1, home: "one three two"},
	{client: clients.OfflineIMAP, job: clients.Move, exit: 1, home: "one three two", archived: "two"},
	{client: clients.Mutt, job: clients.Delete, home: "one three two"},
	{client: clients.Mutt, job: clients.Move, home: "one three two", archived: "two"},
	{client: clients.NeoMutt, job: clients.Delete, home: "one three two"},
	{client: clients.NeoMutt, job: clients.Move, home: "one three two", archived: "two"},
	{client: clients.Curl, job: clients.Delete, exit: 21, home: "one three two"},
	{client: clients.Curl, job: clients.Move, exit: 21, home: "one three two"},
	{client: clients.Imaplib, job: clients.Delete, home: "one three two"},
	{client: clients.Imaplib, job: clients.Move, home: "one three two", archived: "two"},
	{client: clients.GoIMAP, job: clients.Delete, exit: 1, home: "one three two"},
	{client: clients.GoIMAP, job: clients.Move, exit: 1, home: "one three two"},
	{client: clients.FetchmailIMAP, job: clients.Fetch, exit: 7, next: 7, home: "one two"},
	{client: clients.FetchmailIMAPKeep, job: clients.Fetch, next: 1, home: "one three two"},
	{client: clients.GetmailIMAP, job: clients.Fetch, exit: 127, next: 127, home: "one one"},
}

// refuseAll is a policy under which nobody deletes anything.
const refuseAll = "policy:\n  rules:\n    - {name: all-stays, when: 'true', then: refuse}"

// Where nobody may delete nothing is lost or marked, every client ends as it does
// when a server refuses, and the others get everything.
func TestIMAPClientsAreRefused(t *testing.T) {
	for _, r := range refusals {
		t.Run(fmt.Sprintf("%s %s", r.client.Name, r.job), func(t *testing.T) {
			t.Parallel()
			p, _ := behindGuard(t, options{policy: refuseAll})
			deliver(t, p.dovecot, mailbox, "one", "two", "three")
			alice, bob := member(t, p, "alice", r.client), member(t, p, "bob", clients.Mbsync)
			if r.job != clients.Fetch {
				alice.must(t, clients.Fetch, "", 0)
			}
			if r.job == clients.Move {
				makeArchive(t, alice)
			}
			alice.must(t, r.job, "two", r.exit)
			same(t, "INBOX at the server", alice.inbox(t), "one three two")
			alice.must(t, clients.Fetch, "", r.next)
			same(t, "INBOX at the server after the next session", alice.inbox(t), "one three two")
			same(t, "copies", alice.subjects(t, clients.Archive), r.archived)
			same(t, "alice's mail", alice.atHome(t), r.home)
			bob.must(t, clients.Fetch, "", 0)
			same(t, "bob's mail", bob.atHome(t), "one three two")
		})
	}
}

// makeArchive makes the folder with the client, or with another one: mutt
// makes it when it files the first message there.
func makeArchive(t testing.TB, r *reader) {
	t.Helper()
	if !r.client.Can(clients.MakeFolder) {
		r = &reader{place: r.place, client: clients.GoIMAP, user: r.user, box: r.box, dir: filepath.Join(r.dir, "elsewhere")}
	}
	r.must(t, clients.MakeFolder, "", 0)
}

// allowSmall is a policy that lets members delete everything that the tests
// deliver, and that could refuse: each message is decided.
const allowSmall = "policy:\n  rules:\n    - {name: small-may-go, when: message.size < 100000, then: allow}\n    - {name: others-stay, when: 'true', then: refuse}"

// Where policy allows it a deletion happens, and nothing else goes.
func TestIMAPClientsAreAllowed(t *testing.T) {
	for _, client := range clients.AllIMAP() {
		if !client.Can(clients.Delete) {
			continue
		}
		t.Run(client.Name, func(t *testing.T) {
			t.Parallel()
			p, _ := behindGuard(t, options{policy: allowSmall})
			deliver(t, p.dovecot, mailbox, "one", "two", "three")
			alice, bob := member(t, p, "alice", client), member(t, p, "bob", clients.Mbsync)
			alice.must(t, clients.Fetch, "", 0)
			alice.must(t, clients.Delete, "two", 0)
			same(t, "INBOX at the server", alice.inbox(t), "one three")
			makeArchive(t, alice)
			alice.must(t, clients.Move, "one", 0)
			same(t, "INBOX at the server", alice.inbox(t), "three")
			same(t, "Archive", alice.subjects(t, clients.Archive), "one")
			alice.must(t, clients.Fetch, "", 0)
			bob.must(t, clients.Fetch, "", 0)
			same(t, "bob's mail", bob.atHome(t), "three")
		})
	}
}

// A program that deletes what it has fetched gets each message once, and what
// it has not fetched stays.
func TestIMAPFetchersAreAllowed(t *testing.T) {
	for _, client := range []clients.IMAP{clients.FetchmailIMAP, clients.GetmailIMAP} {
		t.Run(client.Name, func(t *testing.T) {
			t.Parallel()
			p, _ := behindGuard(t, options{policy: allowSmall})
			alice := member(t, p, "alice", client)
			deliver(t, p.dovecot, mailbox, "one", "two")
			alice.must(t, clients.Fetch, "", 0)
			same(t, "INBOX at the server", alice.inbox(t), "")
			deliver(t, p.dovecot, mailbox, "three")
			same(t, "INBOX at the server", alice.inbox(t), "three")
			alice.must(t, clients.Fetch, "", 0)
			alice.must(t, clients.Fetch, "", client.NoMail)
			same(t, "INBOX at the server", alice.inbox(t), "")
			same(t, "alice's mail", alice.atHome(t), "one three two")
		})
	}
}

// In observe mode a guarded mailbox is used as without a guard, and what would
// have been refused is recorded: each message that left INBOX.
func TestIMAPClientsAreObserved(t *testing.T) {
	users := readers()
	left := atDovecot(t, users...)
	t.Run("clients", func(t *testing.T) {
		for i, client := range clients.AllIMAP() {
			t.Run(client.Name, func(t *testing.T) {
				t.Parallel()
				right, g := behindGuard(t, options{policy: "policy: {mode: observe}"})
				directly, guarded := member(t, left, "alice", client), member(t, right, "alice", client)
				directly.user, directly.box = users[i], users[i]
				tell(t, []*reader{directly, guarded})
				checkObserved(t, g, guarded)
			})
		}
	})
}

func checkObserved(t *testing.T, g *guard, r *reader) {
	t.Helper()
	came := 4 // three, and one arrives
	if r.client.Can(clients.Upload) {
		came++
	}
	gone := came - len(r.subjects(t, "INBOX"))
	const observed = `SELECT DISTINCT CAST(m.uid AS TEXT) FROM decisions d JOIN messages m ON m.id = d.message_id
		WHERE d.outcome = 'observe' AND d.member = 'alice' AND d.verdict <> 'allow' AND m.folder = 'INBOX'`
	if uids := sqliteRows(t, filepath.Join(g.dir, "ledger.db"), observed); len(uids) != gone {
		t.Errorf("the ledger has observed deletions of the UIDs %v, and %d messages left INBOX", uids, gone)
	}
	if out, status := g.run("mailboxes"); status != 0 || !strings.Contains(out, "alice") {
		t.Errorf("mailboxes: status %d, %s", status, out)
	}
}
