package ledger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// orders are the ways in which an administrator speaks of messages.
func (f *fixture) orders() map[string]func(context.Context, []message.ID, string) (Administered, error) {
	restore := func(pin bool) func(context.Context, []message.ID, string) (Administered, error) {
		return func(ctx context.Context, ids []message.ID, why string) (Administered, error) {
			r, err := f.Restore(ctx, Restore{IDs: ids, Pin: pin, Why: why})
			return r.Administered, err
		}
	}
	return map[string]func(context.Context, []message.ID, string) (Administered, error){
		"approve": f.Approve, "pin": f.Pin, "unpin": f.Unpin, "purge": f.Purge, "restore": restore(false), "restore --pin": restore(true),
	}
}

// order gives an order that nothing stands in the way of.
func (f *fixture) order(name string, ids ...message.ID) {
	f.tb.Helper()
	all, err := f.orders()[name](f.tb.Context(), ids, "asked")
	if err != nil || !slices.Equal(all.Done, ids) || len(all.Refused) > 0 {
		f.tb.Fatalf("%s: %+v, %v", name, all, err)
	}
}

func pin(f *fixture, id message.ID) { f.order("pin", id) }

// What can be done about a message, and what it says where it cannot.
func TestOrders(t *testing.T) {
	asItIs := func(*fixture, message.ID) {}
	for _, state := range []struct {
		name   string
		before func(f *fixture, id message.ID)
		// What each order is refused for; what is not named is done.
		refused map[string]string
	}{
		{"held", asItIs, map[string]string{"unpin": "it is not pinned"}},
		{"not held", func(f *fixture, id message.ID) { f.order("restore", id) }, map[string]string{
			"approve": "it is not held", "unpin": "it is not pinned", "restore": "nobody has deleted it", "restore --pin": "nobody has deleted it",
		}},
		{"pinned", pin, map[string]string{"approve": "it is pinned: unpin it first"}},
		{"to be purged", func(f *fixture, id message.ID) { f.order("purge", id) }, map[string]string{
			"restore": "it is to be purged: pin it", "unpin": "it is not pinned",
		}},
		{"being removed", (*fixture).mustClaim, map[string]string{
			"approve": "being removed", "pin": "being removed", "unpin": "being removed", "restore": "being removed", "restore --pin": "being removed",
		}},
		{"gone", func(f *fixture, _ message.ID) { f.enter("bob") }, map[string]string{
			"approve": "gone (bypass)", "pin": "gone (bypass)", "unpin": "gone (bypass)", "restore": "gone (bypass)", "restore --pin": "gone (bypass)", "purge": "gone (bypass)",
		}},
	} {
		for name := range newFixture(t).orders() {
			t.Run(name+" what is "+state.name, func(t *testing.T) {
				f := newFixture(t)
				id := heldOnes(f, "a").IDs[0]
				state.before(f, id)
				before := f.dump()
				all, err := f.orders()[name](t.Context(), []message.ID{id, id}, "asked")
				why, refused := state.refused[name]
				switch {
				case err != nil:
					t.Error(err)
				case !refused && (!slices.Equal(all.Done, []message.ID{id}) || len(all.Refused) > 0):
					t.Errorf("%+v", all)
				case refused && (len(all.Done) > 0 || len(all.Refused) != 1 || all.Refused[0].ID != id || !strings.Contains(all.Refused[0].Why, why)):
					t.Errorf("%+v, want %q", all, why)
				case refused && f.dump() != before:
					t.Errorf("it was refused, and changes\n%s\nto\n%s", before, f.dump())
				}
			})
		}
	}
}

// Of several messages what can be done is done.
func TestOrderAboutSeveral(t *testing.T) {
	f := newFixture(t)
	ids := heldOnes(f, "a", "b", "c").IDs
	f.mustClaim(ids[1])
	all, err := f.Approve(t.Context(), []message.ID{12345, ids[2], ids[1], ids[0]}, "")
	if err != nil || !slices.Equal(all.Done, []message.ID{ids[2], ids[0]}) || len(all.Refused) != 2 ||
		all.Refused[0] != (Refusal{12345, unknownMessage}) || all.Refused[1].ID != ids[1] {
		t.Errorf("%+v, %v", all, err)
	}
}

// What was done is on record, once for each message, with its reason.
func TestOrdersAreOnRecord(t *testing.T) {
	for name, want := range map[string]AuditEntry{
		"approve": {Kind: "approved", Why: "asked"}, "pin": {Kind: "pinned", Why: "asked"}, "purge": {Kind: "purged", Why: "asked"},
		"restore":       {Kind: "restored", Why: "for alice (pop3): asked"},
		"restore --pin": {Kind: "restored", Why: "for alice (pop3), and pinned: asked"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			ids := heldOnes(f, "a", "b").IDs
			f.clock.pass(time.Hour)
			f.order(name, ids...)
			entries := f.entries(AuditFilter{Kind: want.Kind})
			if len(entries) != 2 {
				t.Fatalf("%d entries", len(entries))
			}
			want.At, want.Mailbox, want.Folder, want.Message = f.clock.Now(), box, "INBOX", ids[1]
			if *entries[0] != want {
				t.Errorf("%+v\nwant\n%+v", *entries[0], want)
			}
		})
	}
}

func TestApproveAndPinAndPurge(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b", "c")
	a, b, c := s.IDs[0], s.IDs[1], s.IDs[2]
	since := f.found(a).Message.HeldSince
	at := f.clock.pass(time.Hour)
	f.order("approve", a)
	f.clock.pass(time.Hour)
	f.order("approve", a)
	if m := f.found(a).Message; !m.Approved.Equal(at) || !m.HeldSince.Equal(since) {
		t.Errorf("approved: %+v", m)
	}
	f.order("pin", a)
	if m := f.found(a).Message; !m.Approved.IsZero() || !m.Pinned || !m.HeldSince.Equal(since) {
		t.Errorf("the pin came after the approval: %+v", m)
	}
	f.order("purge", a, b)
	if m := f.found(a).Message; m.PurgeReason != "asked" || m.Pinned || !m.HeldSince.Equal(since) {
		t.Errorf("the purge came after the pin: %+v", m)
	}
	f.order("restore", c)
	at = f.clock.pass(time.Hour)
	f.order("purge", c)
	if m := f.found(c).Message; !m.HeldSince.Equal(at) {
		t.Errorf("nobody has deleted it: %+v", m)
	}
	f.order("pin", a, c)
	if m := f.found(a).Message; m.PurgeReason != "" || !m.HeldSince.Equal(since) {
		t.Errorf("the pin came after the purge: %+v", m)
	}
	if m := f.found(c).Message; m.PurgeReason != "" || !m.HeldSince.IsZero() {
		t.Errorf("nobody has deleted it, and it is not purged: %+v", m)
	}
}

func TestPurgeNeedsAReason(t *testing.T) {
	f := newFixture(t)
	ids := heldOnes(f, "a").IDs
	for _, reason := range []string{"", " \t\n"} {
		if all, err := f.Purge(t.Context(), ids, reason); !errors.Is(err, ErrNoReason) || len(all.Done) > 0 {
			t.Errorf("%q: %+v, %v", reason, all, err)
		}
	}
	if m := f.found(ids[0]).Message; m.PurgeReason != "" {
		t.Errorf("%+v", m)
	}
}

// A purge outlives a removal that failed, and an undone move.
func TestPurgeOutlives(t *testing.T) {
	f := newFixture(t)
	id := heldOnes(f, "a").IDs[0]
	f.mustClaim(id)
	f.order("purge", id)
	if err := f.Withdraw(t.Context(), []message.ID{id}); err != nil {
		t.Fatal(err)
	}
	if m := f.found(id).Message; m.PurgeReason == "" || m.HeldSince.IsZero() || !m.Claimed.IsZero() {
		t.Errorf("%+v", m)
	}
	f.moveToTrash("alice", 5, 51)
	f.order("purge", f.in(5).Message.ID)
	f.undo("alice", inbox, 51)
	if h := f.in(5); h.Message.HeldSince.IsZero() || len(h.Deletions) > 0 {
		t.Errorf("%+v", h)
	}
}

// The deletion by POP3 counts when one by IMAP is withdrawn.
func TestUndoKeepsWhatPOP3Deleted(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	at := f.clock.pass(time.Second)
	f.exec("INSERT INTO deletions (message_id, member_id, protocol, op, verdict, rule, at) SELECT message_id, member_id, 'pop3', 'pop3.dele', 'defer', 'r', ? FROM deletions",
		millis(at))
	f.undo("alice", inbox, 51)
	if h := f.in(5); !h.Message.HeldSince.Equal(at) || len(h.Deletions) != 1 {
		t.Errorf("%+v; want held since %v", h, at)
	}
}

func TestOrdersWithoutALedger(t *testing.T) {
	f := newFixture(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, order := range f.orders() {
		if all, err := order(t.Context(), []message.ID{1}, "asked"); !errors.Is(err, ErrClosed) || len(all.Done) > 0 {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}

func TestRestoredAsCopy(t *testing.T) {
	f := newFixture(t)
	id := heldOnes(f, "a").IDs[0]
	before := *f.found(id)
	if err := f.RestoredAsCopy(t.Context(), id, "asked"); err != nil {
		t.Fatal(err)
	}
	if e := f.entries(AuditFilter{Message: id, Kind: "restored"}); len(e) != 1 || e[0].Why != "as a copy: asked" {
		t.Errorf("%+v", e)
	}
	if after := f.found(id); after.Message != before.Message || len(after.Deletions) != 1 {
		t.Errorf("%+v", after)
	}
}

func restoreTo(name member.Name) *member.Name { return &name }

func TestRestore(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	first := f.in(5).Message.HeldSince
	f.expunge("bob", policy.Deferred, 5)
	id, second := f.in(5).Message.ID, f.in(5).Deletions[1].At
	f.order("approve", id)
	done, err := f.Restore(t.Context(), Restore{IDs: []message.ID{id}, Member: restoreTo("alice")})
	want := Restored{ID: id, Mailbox: box, Folder: inbox, UID: 5, Member: "alice", Protocol: member.IMAP}
	if err != nil || !slices.Equal(done.Done, []message.ID{id}) || !slices.Equal(done.Returned, []Restored{want}) {
		t.Fatalf("%+v, %v", done, err)
	}
	f.wantHidden("given back", "alice")
	f.wantHidden("another member's", "bob", 5)
	if h := f.in(5); first.Equal(second) || !h.Message.HeldSince.Equal(second) || !h.Message.Approved.IsZero() || len(h.Deletions) != 1 {
		t.Errorf("%+v; want held since %v", h, second)
	}
	if got := f.openIn("alice", trash).Hidden; len(got) != 0 {
		t.Errorf("the copy stays, and %v is hidden", got)
	}
	again, err := f.Restore(t.Context(), Restore{IDs: []message.ID{id}, Member: restoreTo("alice"), Pin: true})
	if err != nil || len(again.Done)+len(again.Returned) > 0 || again.Refused[0].Why != "alice has not deleted it" || f.in(5).Message.Pinned {
		t.Errorf("%+v, %v", again, err)
	}
	if again, err = f.Restore(t.Context(), Restore{IDs: []message.ID{id}, Member: restoreTo("")}); err != nil || again.Refused[0].Why != "(anonymous) has not deleted it" {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err = f.Restore(t.Context(), Restore{IDs: []message.ID{id}, Pin: true}); err != nil {
		t.Fatal(err)
	}
	if h := f.in(5); !h.Message.HeldSince.IsZero() || !h.Message.Pinned || len(h.Deletions) != 0 {
		t.Errorf("%+v", h)
	}
	f.wantHidden("all of them", "bob")
}

func TestRestorePOP3(t *testing.T) {
	f := newFixture(t)
	s := heldOnes(f, "a", "b")
	done, err := f.Restore(t.Context(), Restore{IDs: s.IDs[:1]})
	want := Restored{ID: s.IDs[0], Mailbox: box, Folder: FolderKey{Name: "INBOX"}, Member: "alice", Protocol: member.POP3}
	if err != nil || !slices.Equal(done.Returned, []Restored{want}) {
		t.Fatalf("%+v, %v", done, err)
	}
	if again := f.enter("alice", mail("a", 1), mail("b", 1)); again.Hidden[0] || !again.Hidden[1] {
		t.Errorf("hidden %v", again.Hidden)
	}
}

// The copy that an undo has hidden comes back: its original no longer stands
// for it, and is not looked for any more.
func TestRestoreOfAnUndoneCopy(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.undo("alice", inbox, 51)
	id := message.ID(f.number("SELECT id FROM messages WHERE folder = 'Trash'"))
	f.order("restore", id)
	if got := f.openIn("alice", trash).Hidden; len(got) != 0 {
		t.Errorf("hidden %v", got)
	}
	f.settle(Settlement{Gone: []message.UID{5}})
	if n := f.number("SELECT count(*) FROM undone_moves"); n != 0 {
		t.Errorf("%d undone moves", n)
	}
}
