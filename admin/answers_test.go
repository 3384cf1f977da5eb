package admin

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
)

func TestHeldFilters(t *testing.T) {
	s := newScene(t)
	first := s.visits(support, "alice", "slow", 0)
	s.pass(time.Hour)
	s.visits(support, "", "fast", 1)
	other := s.visits(sales, "alice", "fast", 0)
	s.pass(time.Minute)
	a, b, c := first[0], first[1], other[0]
	d := s.deletesByIMAP(sales, "bob", 5)[0]
	for _, test := range []struct {
		name  string
		query HeldQuery
		want  []message.ID
	}{
		{"all, by mailbox, oldest first", HeldQuery{}, []message.ID{a, b, c, d}},
		{"folder", HeldQuery{Folder: "INBOX", Mailbox: sales}, []message.ID{c, d}},
		{"another folder", HeldQuery{Folder: "Trash"}, nil},
		{"due", HeldQuery{DueWithin: 7 * 24 * time.Hour}, []message.ID{b}},
		{"due later", HeldQuery{DueWithin: 10 * 24 * time.Hour}, []message.ID{a, b, c, d}},
		{"due almost as late", HeldQuery{DueWithin: 10*24*time.Hour - 10*time.Minute}, []message.ID{a, b}},
		{"mailbox", HeldQuery{Mailbox: support}, []message.ID{a, b}},
		{"member", HeldQuery{Member: "alice"}, []message.ID{a, c}},
		{"anonymous", HeldQuery{Anonymous: true}, []message.ID{b}},
		{"anonymous goes before a member", HeldQuery{Anonymous: true, Member: "alice"}, []message.ID{b}},
		{"rule", HeldQuery{Rule: "fast"}, []message.ID{b, c}},
		{"older than", HeldQuery{OlderThan: 30 * time.Minute}, []message.ID{a}},
		{"all filters", HeldQuery{Mailbox: sales, Member: "alice", Rule: "fast", OlderThan: time.Second}, []message.ID{c}},
		{"nothing fits", HeldQuery{Mailbox: "x&rule=fast@example.com"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			held, err := s.Held(t.Context(), test.query)
			if got := numbers(held); err != nil || held.Held == nil || held.Next != "" || !slices.Equal(got, test.want) {
				t.Errorf("held %v (nil: %t), next %q, %v; want %v", got, held.Held == nil, held.Next, err, test.want)
			}
		})
	}
}

func numbers(p HeldPage) (ids []message.ID) {
	for _, h := range p.Held {
		ids = append(ids, h.ID)
	}
	return ids
}

// Page by page it is what it is at once, also if messages go in between.
func TestHeldPages(t *testing.T) {
	s := newScene(t)
	want := s.visits(support, "alice", "r", 0, 1)
	want = append(want, s.deletesByIMAP(sales, "bob", 1, 2, 3, 4, 5)...)
	for size := 1; size <= len(want)+1; size++ {
		var got []message.ID
		q := HeldQuery{Limit: size}
		for n := 0; n == 0 || q.After != ""; n++ {
			page, err := s.Held(t.Context(), q)
			if err != nil || len(page.Held) > size {
				t.Fatalf("%d messages, %v", len(page.Held), err)
			}
			got, q.After = append(got, numbers(page)...), page.Next
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", size, got, want)
		}
	}
	page, err := s.Held(t.Context(), HeldQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.do(Restore, Order{IDs: want[:2]})
	if rest, err := s.Held(t.Context(), HeldQuery{After: page.Next}); err != nil || !slices.Equal(numbers(rest), want[2:]) {
		t.Errorf("behind one that is no longer held: %v, %v; want %v", numbers(rest), err, want[2:])
	}
	// What is due may be on a later page.
	late, err := s.Held(t.Context(), HeldQuery{DueWithin: time.Hour, Limit: 1})
	if err != nil || len(late.Held) != 0 || late.Next == "" {
		t.Errorf("a page of which nothing is due: %+v, %v", late, err)
	}
}

func TestShow(t *testing.T) {
	s := newScene(t)
	ids := s.visits(support, "alice", "r", 1)
	at := s.now()
	m, err := s.Show(t.Context(), ids[1])
	if err != nil || m.ID != ids[1] || m.Mailbox != support || m.UniqueID != "u2" || m.Size != 200 || !m.Due || m.Why != "a test says so" {
		t.Errorf("%+v, %v", m, err)
	}
	if m.HeldSince == nil || !m.HeldSince.Equal(at) || m.Gone != nil || m.Removing || m.Pinned {
		t.Errorf("%+v", m)
	}
	if len(m.Deleted) != 1 || m.Deleted[0] != (Deleted{"alice", member.POP3, "r", "defer", at}) {
		t.Errorf("deleted: %+v", m.Deleted)
	}
	if len(m.Fetched) != 1 || m.Fetched[0] != (Fetched{"alice", member.POP3, at, nil}) {
		t.Errorf("fetched: %+v", m.Fetched)
	}
	if m, err = s.Show(t.Context(), ids[0]); err != nil || m.HeldSince != nil || m.Deleted == nil || m.Fetched == nil {
		t.Errorf("not held: %+v, %v", m, err)
	}
	moved := s.deletesByIMAP(support, "alice", 5)[0]
	s.do(Pin, Order{IDs: []message.ID{moved}})
	if err := s.ledger.NoteHeader(t.Context(), moved, "bob@example.com", "Lunch"); err != nil {
		t.Fatal(err)
	}
	m, err = s.Show(t.Context(), moved)
	if err != nil || m.UIDValidity != 7 || m.UID != 5 || m.UniqueID != "" || !m.Pinned || m.Sender != "bob@example.com" || m.Subject != "Lunch" ||
		len(m.Copies) != 1 || m.Copies[0] != (Copy{"Trash", 3, 55, s.now()}) || m.DueAt == nil {
		t.Errorf("%+v, %v", m, err)
	}
	s.do(Approve, Order{IDs: ids[1:]})
	if m, err = s.Show(t.Context(), ids[1]); err != nil || m.Approved == nil || !m.Approved.Equal(s.now()) {
		t.Errorf("approved: %+v, %v", m, err)
	}
	s.do(Purge, Order{IDs: ids[1:], Reason: "asked"})
	if m, err = s.Show(t.Context(), ids[1]); err != nil || m.PurgeReason != "asked" {
		t.Errorf("to be purged: %+v, %v", m, err)
	}
	for _, id := range []message.ID{0, -1, 12345} {
		if _, err := s.Show(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("message %d: %v", id, err)
		}
	}
}

func TestMailboxes(t *testing.T) {
	s := newScene(t)
	if all, err := s.Mailboxes(t.Context()); err != nil || all == nil || len(all) != 0 {
		t.Errorf("an empty ledger: %v, %v", all, err)
	}
	s.visits(support, "alice", "r", 0, 1)
	s.visits(support, "", "r")
	s.visits(sales, "bob", "r", 0)
	all, err := s.Mailboxes(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != sales || all[1].Name != support {
		t.Fatalf("%+v, %v", all, err)
	}
	if m := all[0]; m.Shared || m.Held != 1 || len(m.Members) != 1 || m.Members[0].Member != "bob" || m.Members[0].Configured {
		t.Errorf("%+v", m)
	}
	m := all[1]
	if !m.Shared || m.Held != 2 || len(m.Members) != 3 {
		t.Fatalf("%+v", m)
	}
	seen := make(map[member.Name]Use)
	for _, u := range m.Members {
		seen[u.Member] = u
	}
	if u := seen["alice"]; !u.Configured || u.Protocol != member.POP3 || u.Proof != member.ByPassword || u.Last == nil {
		t.Errorf("alice: %+v", u)
	}
	if u, ok := seen[""]; !ok || u.Configured || u.Protocol != member.POP3 {
		t.Errorf("the anonymous member: %+v", u)
	}
	if u := seen["carol"]; u != (Use{Member: "carol", Configured: true}) {
		t.Errorf("carol, who never came: %+v", u)
	}
}

// What the server cannot answer comes back as its reason, not as an empty list.
func TestErrorsHaveAText(t *testing.T) {
	s := newScene(t)
	var answer any
	for _, c := range []struct{ path, want string }{
		{"/v1/held?older_than=soon", "soon"},
		{"/v1/held?older_than=", "duration"},
		{"/v1/held?due_within=x", "due_within"},
		{"/v1/held?limit=x", "limit"},
		{"/v1/held?after=x", "where a page ends"},
		{"/v1/audit?since=x", "since"},
		{"/v1/audit?until=x", "until"},
		{"/v1/audit?message=x", "message"},
		{"/v1/audit?after=1.x", "where a page ends"},
		{"/v1/held/x", "x"},
		{"/v1/held/99999999999999999999", "out of range"},
	} {
		if err := s.get(t.Context(), c.path, &answer); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "the server answered: ") {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if err := s.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	_, heldErr := s.Held(t.Context(), HeldQuery{})
	_, showErr := s.Show(t.Context(), 1)
	_, boxesErr := s.Mailboxes(t.Context())
	_, auditErr := s.Audit(t.Context(), AuditQuery{})
	_, doErr := s.Do(t.Context(), Pin, Order{IDs: []message.ID{1}})
	for name, err := range map[string]error{"Held": heldErr, "Show": showErr, "Mailboxes": boxesErr, "Audit": auditErr, "Do": doErr} {
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s without a ledger: %v", name, err)
		}
	}
}
