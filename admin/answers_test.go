package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
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
	for _, test := range []struct {
		name  string
		query HeldQuery
		want  []message.ID
	}{
		{"all, oldest first", HeldQuery{}, []message.ID{a, b, c}},
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
			var ids []message.ID
			for _, h := range held {
				ids = append(ids, h.ID)
			}
			if err != nil || held == nil || !slices.Equal(ids, test.want) {
				t.Errorf("held %v (nil: %t), %v; want %v", ids, held == nil, err, test.want)
			}
		})
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
	for name, err := range map[string]error{"Held": heldErr, "Show": showErr, "Mailboxes": boxesErr} {
		if err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s without a ledger: %v", name, err)
		}
	}
}

// Only questions can be asked: the API changes nothing.
func TestOnlyGet(t *testing.T) {
	s := newScene(t)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.socket)
	}}
	defer transport.CloseIdleConnections()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://mailguard/v1/held", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
}
