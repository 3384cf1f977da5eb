package ledger

import (
	"slices"
	"testing"
	"time"

	"mailguard/message"
	"mailguard/policy"
)

func (f *fixture) candidates(key FolderKey) []message.ID {
	f.tb.Helper()
	ids, err := f.Candidates(f.tb.Context(), box, key, f.clock.Now(), 100)
	if err != nil {
		f.tb.Fatal(err)
	}
	return ids
}

func (f *fixture) review(ids []message.ID, r Ruling) (due []message.ID) {
	f.tb.Helper()
	held, err := f.Review(f.tb.Context(), box, ids, f.clock.Now(), func(*Held, policy.Everyone) (Ruling, error) { return r, nil })
	if err != nil {
		f.tb.Fatal(err)
	}
	for _, h := range held {
		due = append(due, h.Message.ID)
	}
	return due
}

// What is held is looked at at once; what is not due waits for its time, or
// until something becomes known of it.
func TestCandidates(t *testing.T) {
	f := newFixture(t)
	if got := f.candidates(inbox); got != nil {
		t.Errorf("nothing is held, and there is %v", got)
	}
	f.expunge("alice", policy.Deferred, 5, 6)
	f.expunge("alice", policy.Refused, 7)
	ids := []message.ID{f.in(5).Message.ID, f.in(6).Message.ID}
	if got := f.candidates(inbox); !slices.Equal(got, ids) {
		t.Errorf("held: %v, want %v", got, ids)
	}
	for _, key := range []FolderKey{{"INBOX", 8}, {"Archive", 7}, {"INBOX", 0}} {
		if got := f.candidates(key); got != nil {
			t.Errorf("%v: %v", key, got)
		}
	}
	if due := f.review(ids[:1], Ruling{Due: true}); !slices.Equal(due, ids[:1]) {
		t.Errorf("due %v", due)
	}
	if due := f.review(ids[1:], Ruling{Again: f.clock.Now().Add(time.Minute)}); due != nil {
		t.Errorf("due %v", due)
	}
	if got := f.candidates(inbox); !slices.Equal(got, ids[:1]) {
		t.Errorf("what is due stays: %v", got)
	}
	f.clock.pass(time.Minute)
	if got := f.candidates(inbox); !slices.Contains(got, ids[1]) {
		t.Errorf("its time has come: %v", got)
	}
	f.review(ids, Ruling{})
	f.clock.pass(lookEvery - 2*time.Second)
	if got := f.candidates(inbox); got != nil {
		t.Errorf("too early: %v", got)
	}
	f.expunge("bob", policy.Deferred, 6)
	if got := f.candidates(inbox); !slices.Equal(got, ids[1:]) {
		t.Errorf("bob has deleted 6: %v", got)
	}
	f.review(ids, Ruling{})
	f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, Size: 100, At: f.clock.Now()}}})
	if got := f.candidates(inbox); !slices.Equal(got, ids[:1]) {
		t.Errorf("bob has fetched 5: %v", got)
	}
	f.clock.pass(lookEvery)
	if got := f.candidates(inbox); len(got) != 2 {
		t.Errorf("after an hour: %v", got)
	}
	f.settle(Settlement{Gone: []message.UID{5}})
	if got := f.candidates(inbox); !slices.Equal(got, ids[1:]) {
		t.Errorf("5 is gone: %v", got)
	}
}

func TestReviewNotes(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	id := f.in(5).Message.ID
	if due := f.review([]message.ID{id}, Ruling{NeedsFlags: true}); len(due) != 1 {
		t.Error("what needs its flags is not looked at")
	}
	at := f.clock.Now()
	f.review([]message.ID{id}, Ruling{UnlessHolds: true})
	f.clock.pass(time.Minute)
	f.review([]message.ID{id}, Ruling{})
	if got := f.in(5).Message.UnlessSeen; !got.Equal(at) {
		t.Errorf("unless was seen at %v, want %v", got, at)
	}
	if err := f.LookLater(t.Context(), []message.ID{id}, f.clock.Now().Add(time.Hour)); err != nil || f.candidates(inbox) != nil {
		t.Errorf("looked at too early: %v", err)
	}
}

func TestLookouts(t *testing.T) {
	f := newFixture(t)
	want := func(when string, want ...Lookout) {
		t.Helper()
		got, err := f.Lookouts(t.Context(), f.clock.Now())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", when, got, err, want)
		}
	}
	want("nothing is held")
	f.expunge("alice", policy.Deferred, 5, 6)
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	byName, inInbox := Lookout{box, FolderKey{"INBOX", 0}}, Lookout{box, inbox}
	want("held by both protocols", byName, inInbox)
	f.review([]message.ID{s.IDs[0]}, Ruling{})
	want("one is not due", inInbox)
	_, at := f.expunge("bob", policy.Allowed, 7)
	f.review(f.candidates(inbox), Ruling{})
	f.clock.pass(claimLasts)
	want("it may still be removed")
	f.clock.pass(time.Second)
	want("nobody can be removing it", inInbox)
	overdue, err := f.Overdue(t.Context(), box, inbox, f.clock.Now())
	if err != nil || !slices.Equal(overdue, []message.UID{7}) {
		t.Errorf("overdue since %v: %v, %v", at, overdue, err)
	}
}

// A claim is on record with its reason, before anything is removed.
func TestClaimIsOnRecord(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	id := f.in(5).Message.ID
	ruling := Ruling{Due: true, Why: "everyone is done", Rule: "r", Facts: &policy.Facts{Op: policy.IMAPExpunge}}
	claimed, err := f.Claim(t.Context(), box, []message.ID{id}, f.clock.Now(), func(*Held, policy.Everyone) (Ruling, error) { return ruling, nil })
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	if n := f.number(`SELECT count(*) FROM decisions WHERE kind = 'released' AND message_id = ? AND rule = 'r'
		AND why = 'everyone is done' AND facts LIKE '%imap.expunge%'`, id); n != 1 {
		t.Errorf("%d releases on record", n)
	}
	if err := f.Mismatch(t.Context(), id, "another size", f.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := f.number("SELECT count(*) FROM decisions WHERE kind = 'frozen' AND message_id = ? AND why = 'another size'", id); n != 1 {
		t.Errorf("%d", n)
	}
}

// However many messages are held, what is due is found by an index.
func TestLookoutsUseAnIndex(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	f.candidates(inbox)
	rows, err := f.handles.Load().read.QueryContext(t.Context(), `EXPLAIN QUERY PLAN SELECT id FROM messages INDEXED BY messages_looked_at
		WHERE mailbox_id = 1 AND folder = 'INBOX' AND `+isWaiting+` AND look_at <= 9 AND uid_validity = 7 AND uid IS NOT NULL ORDER BY look_at, id LIMIT 5`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if want := "SEARCH messages USING INDEX messages_looked_at (mailbox_id=? AND folder=? AND uid_validity=? AND look_at<?)"; detail != want {
			t.Errorf("plan %q, want %q", detail, want)
		}
	}
}
