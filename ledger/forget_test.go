package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

// forget forgets what may be forgotten now.
func (f *fixture) forget() int {
	f.tb.Helper()
	n, err := f.Forget(f.tb.Context(), f.clock.Now())
	if err != nil {
		f.tb.Fatal(err)
	}
	return n
}

func (f *fixture) fetchIn(key FolderKey, content byte, list ...message.UID) {
	f.tb.Helper()
	r := FolderRecord{At: f.clock.pass(time.Second)}
	for _, uid := range list {
		r.Fetches = append(r.Fetches, FolderFetch{UID: uid, Size: 100, At: r.At, Fingerprint: fingerprint(content)})
	}
	f.recordIn("alice", key, r)
}

// hanging counts the rows that hang on a message of the inbox, by table.
func (f *fixture) hanging(uid message.UID) string {
	f.tb.Helper()
	var all []string
	for _, table := range []string{"fetches", "deletions", "moved_copies", "undone_moves", "decisions"} {
		if n := f.number("SELECT count(*) FROM "+table+" WHERE message_id IN (SELECT id FROM messages WHERE folder = 'INBOX' AND uid = ?)", uid); n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, table))
		}
	}
	return fmt.Sprint(f.number("SELECT count(*) FROM messages WHERE folder = 'INBOX' AND uid = ?", uid), " rows: ", strings.Join(all, ", "))
}

// A message that is gone is forgotten after 91 days, with what hangs on it.
// What the audit speaks of keeps a bare row.
func TestForget(t *testing.T) {
	f := newFixture(t)
	f.fetchIn(inbox, 1, 1)
	f.moveToTrash("alice", 2, 51)
	f.moveToTrash("alice", 3, 52)
	f.undo("alice", inbox, 52)
	f.fetchIn(inbox, 4, 4)
	f.expunge("bob", policy.Deferred, 5)
	f.settle(Settlement{Gone: []message.UID{1, 2}})
	audit := f.number("SELECT sum(id + message_id) FROM decisions")
	for _, c := range []struct {
		when string
		pass time.Duration
		n    int
		want []string // of the messages from 1 on
	}{
		{"at once", 0, 0, []string{"1 rows: 1 fetches, 1 decisions", "1 rows: 1 deletions, 2 decisions"}},
		{"a moment early", forgetsAfter, 0, []string{"1 rows: 1 fetches, 1 decisions", "1 rows: 1 deletions, 2 decisions"}},
		{"in time", time.Millisecond, 2, []string{"1 rows: 1 decisions", "1 rows: 2 decisions"}},
		{"much later", 10 * forgetsAfter, 0, []string{"1 rows: 1 decisions", "1 rows: 2 decisions"}},
	} {
		f.clock.pass(c.pass)
		if n := f.forget(); n != c.n {
			t.Errorf("%s: %d are forgotten, want %d", c.when, n, c.n)
		}
		for i, want := range append(c.want, "1 rows: 1 moved_copies, 1 undone_moves, 1 decisions", "1 rows: 1 fetches", "1 rows: 1 deletions, 1 decisions") {
			if got := f.hanging(message.UID(i + 1)); got != want {
				t.Errorf("%s: %d has %s, want %s", c.when, i+1, got, want)
			}
		}
	}
	if h := f.in(2); !h.Message.HeldSince.IsZero() || h.Message.Gone.IsZero() {
		t.Errorf("%+v", h.Message)
	}
	if f.number("SELECT sum(id + message_id) FROM decisions") != audit {
		t.Error("the audit has changed")
	}
	if n, err := f.ForgetDecisions(t.Context(), f.clock.Now()); n != 6 || err != nil {
		t.Errorf("%d entries are forgotten, %v", n, err)
	}
	if n := f.forget(); n != 2 || f.hanging(1) != "0 rows: " || f.hanging(2) != "0 rows: " {
		t.Errorf("without the audit %d are forgotten; %s, %s", n, f.hanging(1), f.hanging(2))
	}
}

// Whatever time is asked for: what POP3 knows again when it comes back stays.
func TestForgetKeepsWhatComesBack(t *testing.T) {
	f := newFixture(t)
	s := f.enter("alice", mail("a", 1), mail("b", 1))
	s.dele(policy.Deferred, s.IDs[0])
	f.enter("bob", mail("b", 1))
	f.clock.pass(comesBack - time.Hour)
	if n := f.forget(); n != 0 {
		t.Errorf("%d are forgotten", n)
	}
	again := f.enter("alice", mail("a", 1), mail("b", 1))
	if !again.Hidden[0] || again.Hidden[1] || !slices.Equal(again.IDs, s.IDs) {
		t.Errorf("%+v", again.Maildrop)
	}
	f.enter("bob", mail("b", 1))
	f.clock.pass(2 * forgetsAfter)
	if n := f.forget(); n != 1 {
		t.Errorf("long after %d are forgotten", n)
	}
}

// A fetch counts for an equal copy that is there.
func TestForgetKeepsWhatWasFetched(t *testing.T) {
	f := newFixture(t)
	f.fetchIn(inbox, 1, 5)
	f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 6, Size: 100, At: f.clock.Now(), Fingerprint: fingerprint(1)}}})
	f.settle(Settlement{Gone: []message.UID{5}})
	f.clock.pass(2 * forgetsAfter)
	if n := f.forget(); n != 0 || len(f.in(6).Fetches) != 2 {
		t.Errorf("%d are forgotten, %v", n, f.in(6).Fetches)
	}
	f.settle(Settlement{Gone: []message.UID{6}})
	f.clock.pass(2 * forgetsAfter)
	if n := f.forget(); n != 2 {
		t.Errorf("%d are forgotten", n)
	}
}

// What is known of a life of a folder that is over goes, held or not; what is
// known of the present one stays, however old it is.
func TestForgetOldLives(t *testing.T) {
	anew := FolderKey{"INBOX", 8}
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	f.fetchIn(inbox, 1, 6)
	f.mark("bob", trash, []message.UID{51}, nil)
	f.exec("UPDATE messages SET pinned = 1 WHERE uid = 6")
	f.clock.pass(2 * forgetsAfter)
	if n := f.forget(); n != 0 {
		t.Errorf("%d of the only life are forgotten", n)
	}
	f.wantHidden("the only life", "alice", 5)
	f.recordIn("bob", anew, FolderRecord{Decisions: folderDecisions(policy.Deferred, 5)})
	if n := f.forget(); n != 2 {
		t.Errorf("%d of the old life are forgotten", n)
	}
	f.wantHidden("the old life is over", "alice")
	if got := f.openIn("bob", anew).Hidden; !slices.Equal(got, []message.UID{5}) {
		t.Errorf("the new life: hidden %v", got)
	}
	if h := f.in(5); !h.Message.HeldSince.IsZero() || h.Message.GoneHow != goneBypass {
		t.Errorf("%+v", h.Message)
	}
	if got := f.openIn("bob", trash); !slices.Equal(got.Marks, []message.UID{51}) {
		t.Errorf("another folder: %+v", got)
	}
	if n := f.number("SELECT count(*) FROM folder_lives WHERE folder = 'INBOX'"); n != 1 {
		t.Errorf("%d lives are known", n)
	}
}

// A life that was seen lately is kept, though there is a newer one.
func TestForgetKeepsAYoungOldLife(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	f.clock.pass(2 * forgetsAfter)
	f.sweep(f.lookAt(9, 5))
	f.recordIn("bob", FolderKey{"INBOX", 8}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 5)})
	f.clock.pass(forgetsAfter - time.Hour)
	if n := f.forget(); n != 0 {
		t.Errorf("%d are forgotten", n)
	}
	f.wantHidden("the old life", "alice", 5)
}

// A fault leaves what was not forgotten, and the next call forgets it.
func TestForgetFails(t *testing.T) {
	for _, fault := range []string{"DELETE ON fetches", "DELETE ON deletions", "DELETE ON messages", "DELETE ON moved_copies", "DELETE ON undone_moves", "UPDATE ON messages", "DELETE ON marks", "DELETE ON folder_lives"} {
		t.Run(fault, func(t *testing.T) {
			f := newFixture(t)
			f.fetchIn(inbox, 1, 1)
			f.moveToTrash("alice", 2, 52)
			f.moveToTrash("alice", 3, 53)
			f.undo("alice", inbox, 53)
			f.recordIn("alice", trash, FolderRecord{Decisions: moves(policy.Deferred, 60), Copies: []FolderCopy{{Original: 60, Folder: "x", Placed: Placed{1, 1}}}})
			f.mark("alice", inbox, []message.UID{9}, nil)
			f.settle(Settlement{Gone: []message.UID{2}})
			f.exec("UPDATE messages SET gone_at = first_seen, gone_how = 'bypass' WHERE folder = 'Trash' OR uid = 1")
			f.clock.pass(2 * forgetsAfter)
			f.recordIn("bob", FolderKey{"INBOX", 8}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 5)})
			f.exec("CREATE TRIGGER fault BEFORE " + fault + " BEGIN SELECT RAISE(ABORT, 'fault'); END")
			if n, err := f.Forget(t.Context(), f.clock.Now()); err == nil || n != 0 {
				t.Errorf("%d are forgotten, %v", n, err)
			}
			if got := f.openIn("bob", FolderKey{"INBOX", 8}).Hidden; !slices.Equal(got, []message.UID{5}) {
				t.Errorf("hidden %v", got)
			}
			f.exec("DROP TRIGGER fault")
			f.forget()
			if n := f.number("SELECT (SELECT count(*) FROM messages) - (SELECT count(DISTINCT message_id) FROM decisions)"); n != 0 {
				t.Errorf("%d rows are left that nothing speaks of", n)
			}
			if n := f.number("SELECT (SELECT count(*) FROM deletions) + (SELECT count(*) FROM marks) + (SELECT count(*) FROM moved_copies) + (SELECT count(*) FROM undone_moves)"); n != 1 {
				t.Errorf("%d things are left that hang on something gone", n)
			}
		})
	}
}

func TestForgetWithoutALedger(t *testing.T) {
	f := newFixture(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Forget(t.Context(), f.clock.Now()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// What a folder held that the upstream has deleted is gone, in all its lives.
// What is below it, and beside it, stays.
func TestFolderGone(t *testing.T) {
	f := newFixture(t)
	names := []string{"a", "a/b", "ab", "A"}
	for _, name := range names {
		for _, validity := range []uint32{7, 8} {
			f.recordIn("alice", FolderKey{name, validity}, FolderRecord{
				Decisions: moves(policy.Deferred, 1), Copies: []FolderCopy{{Original: 1, Folder: name, Placed: Placed{validity, 2}}},
			})
			f.mark("bob", FolderKey{name, validity}, []message.UID{3}, nil)
		}
	}
	f.recordIn("alice", FolderKey{"a", 9}, FolderRecord{
		Decisions: moves(policy.Deferred, 5), Copies: []FolderCopy{{Original: 5, Folder: trash.Name, Placed: Placed{trash.UIDValidity, 51}}},
	})
	f.undo("alice", FolderKey{"a", 9}, 51)
	back, err := f.FolderGone(t.Context(), box, "a", false)
	if err != nil || !slices.Equal(back, []Returned{{"alice", trash, 51}}) {
		t.Errorf("back %v, %v", back, err)
	}
	f.wantBinned("alice")
	for _, name := range names {
		for _, validity := range []uint32{7, 8} {
			got := f.openIn("alice", FolderKey{name, validity})
			if want := name != "a"; (len(got.Hidden) == 1) != want {
				t.Errorf("%s, %d: %+v", name, validity, got)
			}
		}
		if n := f.number("SELECT count(*) FROM marks WHERE folder = ?", name); (n > 0) != (name != "a") {
			t.Errorf("%s: %d marks", name, n)
		}
		if n := f.number("SELECT count(*) FROM moved_copies WHERE folder = ?", name); (n > 0) != (name != "a") {
			t.Errorf("%s: %d copies", name, n)
		}
	}
	if n := f.number("SELECT count(*) FROM messages WHERE folder = 'a' AND uid IS NULL AND gone_how = 'allowed' AND gone_at IS NOT NULL"); n != 3 {
		t.Errorf("%d messages are gone", n)
	}
	if holds, err := f.HoldsHeld(t.Context(), box, "a"); err != nil || !holds {
		t.Errorf("what is below it is held: %v, %v", holds, err)
	}
	if _, err := f.FolderGone(t.Context(), box, "INBOX", false); err == nil {
		t.Error("INBOX is gone")
	}
	before := f.dump()
	if back, err := f.FolderGone(t.Context(), box, "nowhere", true); err != nil || back != nil || f.dump() != before {
		t.Errorf("nowhere: %v, %v", back, err)
	}
	if back, err := f.FolderGone(t.Context(), "sales@example.com", "ab", true); err != nil || back != nil || f.dump() != before {
		t.Errorf("another mailbox's: %v, %v", back, err)
	}
	if _, err := f.FolderGone(t.Context(), box, "ab", true); err != nil || f.number("SELECT count(*) FROM messages WHERE gone_how = 'observed'") != 2 {
		t.Errorf("observed: %v", err)
	}
}

// BenchmarkForget forgets 100,000 messages that are long gone among as many that
// are there.
func BenchmarkForget(b *testing.B) {
	const many = 100_000
	f := newFixture(b)
	first := message.UID(1)
	record := func(n int) {
		for piece := range slices.Chunk(uidRange(first, n), manyUIDs) {
			r := FolderRecord{At: f.clock.Now()}
			for _, uid := range piece {
				print := &message.Fingerprint{byte(uid), byte(uid >> 8), byte(uid >> 16), byte(uid >> 24)}
				r.Fetches = append(r.Fetches, FolderFetch{UID: uid, Size: 1000, At: r.At, Fingerprint: print})
			}
			f.recordIn("alice", inbox, r)
		}
		first += message.UID(n)
	}
	record(many)
	for b.Loop() {
		b.StopTimer()
		begin := first
		record(many)
		f.settle(Settlement{Gone: uidRange(begin, many)})
		f.clock.pass(2 * forgetsAfter)
		b.StartTimer()
		if n := f.forget(); n != many {
			b.Fatal(n)
		}
	}
	b.StopTimer()
	for range 5 {
		began := time.Now()
		f.forget()
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms/nothing")
	}
}
