package integration

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/demo/dovecot"
	"mailguard/integration/clients"
)

// person is a member with a real mail client.
type person struct {
	name   string
	client clients.Client
	dir    string
	got    []string // subjects, in order of delivery
}

func (p *person) poll(t *testing.T, g *guard, implicit bool) {
	t.Helper()
	address := g.pop3
	if implicit {
		address = g.pop3s
	}
	_, port, _ := net.SplitHostPort(address)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := p.client.Poll(ctx, p.dir, clients.Account{
		Host: "localhost", Port: port, User: mailbox + "#" + p.name, Password: password, CAFile: g.ca, Implicit: implicit,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !p.client.OK(r) {
		t.Errorf("%s's %s ended with status %d:\n%s", p.name, p.client.Name, r.Exit, r.Output)
	}
	for _, m := range r.New {
		p.got = append(p.got, clients.Subject(m))
	}
}

// team is three members, each with another client.
func team(t *testing.T, used ...clients.Client) []*person {
	t.Helper()
	var all []*person
	for i, c := range used {
		need(t, c.Installed())
		all = append(all, &person{name: []string{"alice", "bob", "carol"}[i], client: c, dir: filepath.Join(t.TempDir(), "client")})
	}
	return all
}

// Three members share a mailbox, each with a real client that deletes what it
// fetched. Everybody gets every message exactly once, nothing is lost while
// somebody still waits, and when all are done it is gone from the server.
func TestThreeMembersGetEverythingOnce(t *testing.T) {
	for what, used := range map[string][]clients.Client{
		"fetchmail, mpop, getmail": {clients.Fetchmail, clients.Mpop, clients.Getmail},
		"poplib, fetchmail, mpop":  {clients.Poplib, clients.Fetchmail, clients.Mpop},
		"getmail, poplib, getmail": {clients.Getmail, clients.Poplib, clients.Getmail},
		"mpop, mpop, mpop":         {clients.Mpop, clients.Mpop, clients.Mpop},
	} {
		t.Run(what, func(t *testing.T) {
			d := startDovecot(t, nil)
			g := startGuard(t, d.POP3(), options{})
			people := team(t, used...)
			deliver(t, d, mailbox, "one", "two", "three")
			want := []string{"one", "three", "two"}
			for i, p := range people {
				p.poll(t, g, i%2 == 0)
				if n := stored(t, d, mailbox); i < 2 && n != 3 {
					t.Fatalf("%d of 3 messages are left after %s's poll, and not everyone has them", n, p.name)
				}
				p.poll(t, g, i%2 == 0) // no duplicates
			}
			checkGot(t, people, want)
			if n := stored(t, d, mailbox); n != 0 {
				t.Errorf("everyone is done and %d messages are still on the server", n)
			}
			deliver(t, d, mailbox, "four")
			want = []string{"four", "one", "three", "two"}
			for range 2 {
				for _, p := range people {
					p.poll(t, g, true)
				}
			}
			checkGot(t, people, want)
			if n := stored(t, d, mailbox); n != 0 {
				t.Errorf("everyone is done with the second mail too, and %d messages are still on the server", n)
			}
		})
	}
}

func checkGot(t *testing.T, people []*person, want []string) {
	t.Helper()
	for _, p := range people {
		if got := slices.Sorted(slices.Values(p.got)); !slices.Equal(got, want) {
			t.Errorf("%s's %s got %v, want %v", p.name, p.client.Name, got, want)
		}
	}
}

// A member who leaves mail on the server is done with a message once a later
// session saw it and left it alone.
func TestLeavingMailOnTheServer(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{})
	people := team(t, clients.Fetchmail, clients.FetchmailKeep, clients.GetmailKeep)
	deliver(t, d, mailbox, "one", "two")
	for _, p := range people {
		p.poll(t, g, true)
	}
	if n := stored(t, d, mailbox); n != 2 {
		t.Fatalf("%d of 2 messages are left before anybody looked again", n)
	}
	for _, p := range people {
		p.poll(t, g, true) // bob and carol leave them alone
	}
	people[0].poll(t, g, true)
	checkGot(t, people, []string{"one", "two"})
	if n := stored(t, d, mailbox); n != 0 {
		t.Errorf("everyone is done and %d messages are still on the server", n)
	}
}

// What the guard is for: the same three clients without it.
func TestWithoutTheGuardMailIsLost(t *testing.T) {
	d := startDovecot(t, nil)
	g := startGuard(t, d.POP3(), options{extra: "", policy: "policy: {mode: observe}"})
	people := team(t, clients.Fetchmail, clients.Mpop)
	deliver(t, d, mailbox, "one")
	for _, p := range people {
		p.poll(t, g, true)
	}
	if len(people[0].got) != 1 || len(people[1].got) != 0 || stored(t, d, mailbox) != 0 {
		t.Errorf("in observe mode alice got %v and bob %v, and %d are left: want the mail to be lost as without a guard",
			people[0].got, people[1].got, stored(t, d, mailbox))
	}
	out, status := g.run("mailboxes")
	if status != 0 || !strings.Contains(out, "alice") || !strings.Contains(out, "bob") {
		t.Errorf("mailboxes: status %d:\n%s", status, out)
	}
}

// Dovecot sees the client's address, not the guard's.
func TestTheUpstreamIsToldTheClientsAddress(t *testing.T) {
	d := startDovecot(t, func(o *dovecot.Options) { o.TrustLoopback = true })
	g := startGuard(t, d.POP3(), options{})
	s, err := g.logInFrom("127.0.0.77", mailbox+"#alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.command("QUIT"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Log(), "rip=127.0.0.77") {
		t.Errorf("Dovecot's log does not name the client's address:\n%s", tail(d.Log()))
	}
}
