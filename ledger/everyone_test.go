package ledger

import (
	"slices"
	"testing"
	"time"

	"mailguard/member"
)

func TestEveryone(t *testing.T) {
	f := newFixture(t)
	start := f.clock.Now().Add(time.Second)
	f.enter("bob")
	imap := f.visit("")
	imap.Protocol = member.IMAP
	if err := f.Arrive(t.Context(), imap); err != nil {
		t.Fatal(err)
	}
	last := f.clock.Now().Add(time.Second)
	f.enter("bob")
	older := f.visit("bob")
	older.At = start
	if err := f.Arrive(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	e, err := f.Everyone(t.Context(), box)
	if err != nil || len(e.Used) != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	if !e.WatchedSince.Equal(start) || e.Used[0].Member != "" || e.Used[0].Protocol != member.IMAP || !e.Used[1].LastSeen.Equal(last) {
		t.Errorf("%+v", e)
	}
}

// Who was taken out of the configuration counts for seven days more.
func TestConfiguredMembers(t *testing.T) {
	f := newFixture(t)
	check := func(when string, configured, leaving []member.Name) {
		t.Helper()
		e, err := f.Everyone(t.Context(), box)
		if err != nil || !slices.Equal(e.Configured, configured) || !slices.Equal(e.Leaving, leaving) {
			t.Errorf("%s: configured %v, leaving %v, %v", when, e.Configured, e.Leaving, err)
		}
	}
	enter := func(configured ...member.Name) {
		v := f.visit("alice")
		v.Configured = configured
		f.open(v)
	}
	enter("alice", "bob", "carol")
	check("at first", []member.Name{"alice", "bob", "carol"}, nil)
	enter("alice", "carol")
	check("taken out", []member.Name{"alice", "carol"}, []member.Name{"bob"})
	f.clock.pass(stillCounts - time.Minute)
	enter("alice", "carol")
	check("just before seven days", []member.Name{"alice", "carol"}, []member.Name{"bob"})
	f.clock.pass(time.Minute)
	check("after seven days", []member.Name{"alice", "carol"}, nil)
	enter("alice", "bob")
	check("put in again", []member.Name{"alice", "bob"}, []member.Name{"carol"})
}

func TestLists(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b")
	f.enter("bob", mail("a", 1), mail("b", 1)).dele("defer", s.IDs[1])
	f.enter("", mail("a", 1), mail("b", 1)).dele("defer", s.IDs[0])
	anonymous, bob := member.Name(""), member.Name("bob")
	for _, test := range []struct {
		name   string
		filter Filter
		want   int
	}{
		{"all", Filter{}, 2},
		{"a mailbox", Filter{Mailbox: box}, 2},
		{"another mailbox", Filter{Mailbox: "sales@example.com"}, 0},
		{"a member's", Filter{Member: &bob}, 1},
		{"the anonymous member's", Filter{Member: &anonymous}, 1},
		{"a rule's", Filter{Rule: "rule"}, 2},
		{"another rule's", Filter{Rule: "other"}, 0},
		{"before now", Filter{Before: f.clock.Now()}, 2},
		{"before all", Filter{Before: f.clock.Now().Add(-time.Hour)}, 0},
	} {
		held, err := f.Held(t.Context(), test.filter)
		if err != nil || len(held) != test.want {
			t.Errorf("%s: %d, %v", test.name, len(held), err)
		}
	}
	boxes, err := f.Mailboxes(t.Context())
	if err != nil || len(boxes) != 1 || boxes[0].Held != 2 || len(boxes[0].Uses) != 3 {
		t.Errorf("%+v, %v", boxes, err)
	}
	named, err := f.NamedMembers(t.Context())
	if err != nil || !slices.Equal(named[box], []member.Name{"alice", "bob"}) {
		t.Errorf("%v, %v", named, err)
	}
}
