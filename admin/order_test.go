package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

// do has an order carried out that nothing stands in the way of.
func (s *scene) do(a Action, o Order) {
	s.t.Helper()
	r, err := s.Do(s.t.Context(), a, o)
	if err != nil || !slices.Equal(r.Done, o.IDs) || r.Refused == nil || len(r.Refused) > 0 {
		s.t.Fatalf("%s: %+v, %v", a, r, err)
	}
}

// Of several messages what can be done is done; the others have a reason.
func TestDo(t *testing.T) {
	s := newScene(t)
	ids := s.visits(support, "alice", "r", 0)
	for _, test := range []struct {
		action  Action
		refused string // for the message that nobody has deleted; "": nothing
	}{
		{Approve, "it is not held"}, {Pin, ""}, {Unpin, ""}, {Restore, "nobody has deleted it"}, {Purge, ""},
	} {
		r, err := s.Do(t.Context(), test.action, Order{IDs: append([]message.ID{12345}, ids...), Reason: "asked"})
		if err != nil || len(r.Refused) == 0 || r.Refused[0] != (Refusal{12345, "there is no such message in the ledger"}) || r.Done[0] != ids[0] {
			t.Errorf("%s: %+v, %v", test.action, r, err)
			continue
		}
		if test.refused == "" && len(r.Done) != 2 ||
			test.refused != "" && (len(r.Refused) != 2 || r.Refused[1].ID != ids[1] || !strings.Contains(r.Refused[1].Why, test.refused)) {
			t.Errorf("%s: %+v, want %q", test.action, r, test.refused)
		}
	}
}

// Open sessions hear of what came back to a view over IMAP.
func TestRestoreTellsSessions(t *testing.T) {
	s := newScene(t)
	type returned struct {
		mailbox member.Mailbox
		key     ledger.FolderKey
		who     member.Name
		uid     message.UID
	}
	var told []returned
	s.backend.Returned = func(b member.Mailbox, k ledger.FolderKey, n member.Name, list []message.UID) {
		told = append(told, returned{b, k, n, list[0]})
	}
	popped := s.visits(support, "alice", "r", 0)[:1]
	ids := s.deletesByIMAP(support, "alice", 5)
	s.deletesByIMAP(support, "", 5)
	anonymous := member.Name("")
	s.do(Restore, Order{IDs: ids, Member: &anonymous})
	if !slices.Equal(told, []returned{{support, inbox, "", 5}}) {
		t.Errorf("told %v", told)
	}
	s.do(Restore, Order{IDs: append(popped, ids...), Pin: true})
	if len(told) != 2 || told[1] != (returned{support, inbox, "alice", 5}) {
		t.Errorf("told %v", told)
	}
	if m, err := s.Show(t.Context(), ids[0]); err != nil || !m.Pinned || m.HeldSince != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRestoreAsCopy(t *testing.T) {
	s := newScene(t)
	ids := s.visits(support, "alice", "r", 0, 1)
	if _, err := s.Do(t.Context(), Restore, Order{IDs: ids, AsCopy: true}); err == nil || !strings.Contains(err.Error(), "none is configured") {
		t.Errorf("without a service account: %v", err)
	}
	var copied []message.ID
	s.backend.AsCopy = func(_ context.Context, id message.ID) error {
		if id == ids[1] {
			return errors.New("the folder is full")
		}
		copied = append(copied, id)
		return nil
	}
	r, err := s.Do(t.Context(), Restore, Order{IDs: append(ids, 12345), AsCopy: true, Reason: "asked"})
	want := []Refusal{{ids[1], "the folder is full"}, {12345, ErrNotFound.Error()}}
	if err != nil || !slices.Equal(r.Done, ids[:1]) || !slices.Equal(copied, ids[:1]) || !slices.Equal(r.Refused, want) {
		t.Errorf("%+v, copied %v, %v", r, copied, err)
	}
	if m, err := s.Show(t.Context(), ids[0]); err != nil || m.HeldSince == nil || len(m.Deleted) != 1 {
		t.Errorf("the message itself: %+v, %v", m, err)
	}
	page, err := s.Audit(t.Context(), AuditQuery{Kind: "restored"})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].ID != ids[0] || page.Entries[0].Why != "as a copy: asked" {
		t.Errorf("on record: %+v, %v", page, err)
	}
}

func TestOrdersThatAreWrong(t *testing.T) {
	s := newScene(t)
	ids := s.visits(support, "alice", "r", 0)
	alice := member.Name("alice")
	for _, test := range []struct {
		name   string
		action Action
		order  Order
		want   string
	}{
		{"a purge without a reason", Purge, Order{IDs: ids}, "reason"},
		{"too many", Pin, Order{IDs: make([]message.ID, MaxOrder+1)}, "one can be about 500"},
		{"a member that nothing goes back to", Approve, Order{IDs: ids, Member: &alice}, "go with restore"},
		{"a copy and a member", Restore, Order{IDs: ids, AsCopy: true, Member: &alice}, "for everybody"},
		{"a copy and a pin", Restore, Order{IDs: ids, AsCopy: true, Pin: true}, "another message"},
	} {
		if _, err := s.Do(t.Context(), test.action, test.order); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if _, err := s.backend.Do(t.Context(), test.action, test.order); !errors.Is(err, ErrOrder) {
			t.Errorf("%s, without a server: %v", test.name, err)
		}
	}
	if _, err := s.backend.Do(t.Context(), "burn", Order{}); !errors.Is(err, ErrOrder) {
		t.Errorf("an action that there is not: %v", err)
	}
}

// send sends a request as it is.
func (s *scene) send(method, path, kind, body string) (status int, answer string) {
	s.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://mailguard"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// An order is JSON that says nothing unknown. Whatever else is sent changes
// nothing.
func TestRequestsThatAreNoOrders(t *testing.T) {
	s := newScene(t)
	s.visits(support, "alice", "r", 0)
	const order = `{"ids":[1]}`
	for _, test := range []struct {
		name, method, path, kind, body string
		want                           int
	}{
		{"a form", "POST", "/v1/pin", "application/x-www-form-urlencoded", order, 415},
		{"text", "POST", "/v1/pin", "text/plain", order, 415},
		{"no type", "POST", "/v1/pin", "", order, 415},
		{"a type that is none", "POST", "/v1/pin", "application/json;;", order, 415},
		{"nothing", "POST", "/v1/pin", "application/json", "", 400},
		{"no JSON", "POST", "/v1/pin", "application/json", "ids=1", 400},
		{"something unknown", "POST", "/v1/pin", "application/json", `{"ids":[1],"force":true}`, 400},
		{"two orders", "POST", "/v1/pin", "application/json", order + order, 400},
		{"too much", "POST", "/v1/pin", "application/json", `{"ids":[1],"reason":"` + strings.Repeat("x", maxOrderSize) + `"}`, 400},
		{"a number too large", "POST", "/v1/pin", "application/json", `{"ids":[99999999999999999999]}`, 400},
		{"GET", "GET", "/v1/pin", "application/json", order, 405},
		{"PUT", "PUT", "/v1/pin", "application/json", order, 405},
		{"POST of a question", "POST", "/v1/held", "application/json", order, 405},
		{"DELETE", "DELETE", "/v1/held/1", "application/json", "", 405},
		{"an unknown action", "POST", "/v1/burn", "application/json", order, 404},
	} {
		if status, answer := s.send(test.method, test.path, test.kind, test.body); status != test.want {
			t.Errorf("%s: %d %s, want %d", test.name, status, answer, test.want)
		}
	}
	if m, err := s.Show(t.Context(), 1); err != nil || m.Pinned {
		t.Errorf("%+v, %v", m, err)
	}
	if status, answer := s.send("POST", "/v1/pin", "application/json; charset=utf-8", order); status != 200 || !strings.Contains(answer, `"done":[1]`) {
		t.Errorf("an order: %d %s", status, answer)
	}
}
