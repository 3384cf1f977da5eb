package integration

import (
	"fmt"
	"testing"

	"mailguard/integration/clients"
)

// couples are two members of one mailbox, each with a client.
var couples = []struct{ alice, bob clients.IMAP }{
	{clients.Mbsync, clients.Mbsync},
	{clients.MbsyncMark, clients.NeoMutt},
	{clients.MbsyncTrash, clients.OfflineIMAP},
	{clients.OfflineIMAP, clients.MbsyncMark},
	{clients.NeoMutt, clients.Mbsync},
	{clients.NeoMuttQuit, clients.Mutt},
	{clients.Mutt, clients.MbsyncTrash},
	{clients.Curl, clients.Imaplib},
}

// deed is what a member does with a message.
type deed struct {
	who     string
	job     clients.Job
	subject string
}

// round is what the two do one after the other, a message that arrives then,
// and what each has at the end.
type round struct {
	deeds      []deed
	arrives    string
	alice, bob string
}

var rounds = []round{
	{alice: "four one three two", bob: "four one three two"},
	{deeds: []deed{{"alice", clients.Delete, "two"}, {"bob", clients.Delete, "three"}}, arrives: "five",
		alice: "five four one three", bob: "five four one two"},
	{deeds: []deed{{"bob", clients.Delete, "two"}, {"alice", clients.Move, "four"}}, arrives: "six",
		alice: "five one six three", bob: "five four one six"},
	{deeds: []deed{{"alice", clients.Delete, "six"}}, arrives: "seven", alice: "five one seven three", bob: "five four one seven six"},
	{alice: "five one seven three", bob: "five four one seven six"},
}

// Two members delete and file what they like, each with a real client. Each has
// what is left in their own view, nothing comes back and nothing comes twice,
// and at the server everything stays. Every run ends as it does where a message
// is really gone.
func TestIMAPClientsOfTwoMembers(t *testing.T) {
	for _, c := range couples {
		t.Run(c.alice.Name+" and "+c.bob.Name, func(t *testing.T) {
			t.Parallel()
			p, _ := behindGuard(t, options{})
			deliver(t, p.dovecot, mailbox, "one", "two", "three", "four")
			alice, bob := member(t, p, "alice", c.alice), member(t, p, "bob", c.bob)
			makeArchive(t, alice)
			for i, r := range rounds {
				r.play(t, alice, bob)
				alice.sees(t, fmt.Sprintf("round %d: alice", i), r.alice)
				bob.sees(t, fmt.Sprintf("round %d: bob", i), r.bob)
			}
			last := rounds[len(rounds)-1] // mbsync takes a refusal for a deletion: ask the guard, too
			same(t, "alice's view", alice.view(t).list(t), last.alice)
			same(t, "bob's view", bob.view(t).list(t), last.bob)
			same(t, "INBOX at the server", alice.inbox(t), "five four one seven six three two")
			same(t, "Archive at the server", alice.subjects(t, clients.Archive), "four")
		})
	}
}

// play lets the members do what they do, and the message arrive.
func (r round) play(t *testing.T, alice, bob *reader) {
	t.Helper()
	for _, d := range r.deeds {
		map[string]*reader{"alice": alice, "bob": bob}[d.who].must(t, d.job, d.subject, 0)
	}
	if r.arrives != "" {
		deliver(t, alice.dovecot, mailbox, r.arrives)
	}
}

// sees checks what a member has by their own client: what it lists, or what it
// keeps at home. Where it does neither, another program of theirs shows it.
func (r *reader) sees(t *testing.T, what, want string) {
	t.Helper()
	switch {
	case r.client.Syncs:
		r.must(t, clients.Fetch, "", 0)
		same(t, what+"'s mail", r.atHome(t), want)
	case r.client.Can(clients.List):
		same(t, what+"'s list", r.list(t), want)
	default:
		same(t, what+"'s view", r.view(t).list(t), want)
	}
}

// view is the same member with a program that lists INBOX.
func (r *reader) view(t *testing.T) *reader {
	t.Helper()
	v := *r
	v.client, v.dir = clients.GoIMAP, t.TempDir()
	return &v
}

// list lists INBOX as the client shows it.
func (r *reader) list(t *testing.T) []string {
	t.Helper()
	r.must(t, clients.List, "", 0)
	messages, err := clients.Listed(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range messages {
		all = append(all, m.Subject)
	}
	return all
}

// A member whose program deletes all that it has fetched gets each message
// once. The other one keeps everything.
func TestIMAPFetcherAmongTwoMembers(t *testing.T) {
	for _, client := range []clients.IMAP{clients.FetchmailIMAP, clients.GetmailIMAP} {
		t.Run(client.Name, func(t *testing.T) {
			t.Parallel()
			p, _ := behindGuard(t, options{})
			alice, bob := member(t, p, "alice", client), member(t, p, "bob", clients.Mbsync)
			deliver(t, p.dovecot, mailbox, "one", "two")
			alice.must(t, clients.Fetch, "", 0)
			bob.sees(t, "bob", "one two")
			deliver(t, p.dovecot, mailbox, "three")
			alice.must(t, clients.Fetch, "", 0)
			alice.must(t, clients.Fetch, "", client.NoMail)
			same(t, "alice's mail", alice.atHome(t), "one three two")
			same(t, "alice's view", alice.view(t).list(t), "")
			bob.sees(t, "bob", "one three two")
			same(t, "INBOX at the server", alice.inbox(t), "one three two")
		})
	}
}
