package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// entries are all that the record has, newest first.
func (f *fixture) entries(filter AuditFilter) []*AuditEntry {
	f.tb.Helper()
	all, next, err := f.AuditLog(f.tb.Context(), filter)
	if err != nil || next != "" && filter.Limit == 0 {
		f.tb.Fatalf("next page %q, %v", next, err)
	}
	return all
}

// decided puts a verdict on record.
func (f *fixture) decided(v Visit, d Decision) time.Time {
	f.tb.Helper()
	if d.Facts == nil {
		d.Facts = &policy.Facts{}
	}
	if err := f.Audit(f.tb.Context(), v, d, v.At); err != nil {
		f.tb.Fatal(err)
	}
	return v.At
}

func TestAuditFilters(t *testing.T) {
	f := newFixture(t)
	held := heldOnes(f, "a").IDs[0] // alice, pop3.dele, defer, rule "rule"
	sales := f.visitIMAP("bob")
	sales.Mailbox = "sales@example.com"
	second := f.decided(sales, Decision{Verdict: policy.Refuse, Outcome: policy.Refused, Rule: "no",
		Facts: &policy.Facts{Op: policy.IMAPDeleteFolder, Folder: "Old"}})
	third := f.decided(f.visit(""), Decision{Message: held, Verdict: policy.Defer, Outcome: policy.Accepted, Rule: "no",
		Facts: &policy.Facts{Op: policy.POP3Dele, Folder: "INBOX"}})
	f.clock.pass(time.Second)
	f.order("pin", held)
	anonymous, alice := member.Name(""), member.Name("alice")
	for _, test := range []struct {
		name   string
		filter AuditFilter
		want   string // what they are, newest first
	}{
		{"all", AuditFilter{}, "pinned accept refuse defer"},
		{"mailbox", AuditFilter{Mailbox: "sales@example.com"}, "refuse"},
		{"another mailbox", AuditFilter{Mailbox: "other@example.com"}, ""},
		{"member", AuditFilter{Member: &alice}, "defer"},
		{"the anonymous member, and not what nobody did", AuditFilter{Member: &anonymous}, "accept"},
		{"rule", AuditFilter{Rule: "no"}, "accept refuse"},
		{"op", AuditFilter{Op: policy.POP3Dele}, "accept defer"},
		{"verdict", AuditFilter{Verdict: policy.Defer}, "accept defer"},
		{"kind", AuditFilter{Kind: "pinned"}, "pinned"},
		{"message", AuditFilter{Message: held}, "pinned accept defer"},
		{"folder", AuditFilter{Folder: "Old"}, "refuse"},
		{"the message's folder", AuditFilter{Folder: "INBOX"}, "pinned accept"},
		{"since", AuditFilter{Since: second}, "pinned accept refuse"},
		{"until", AuditFilter{Until: third}, "refuse defer"},
		{"at most", AuditFilter{Limit: 2}, "pinned accept"},
		{"all of it", AuditFilter{Mailbox: box, Member: &anonymous, Rule: "no", Op: policy.POP3Dele, Verdict: policy.Defer, Kind: "verdict",
			Message: held, Folder: "INBOX", Since: second, Until: third.Add(1)}, ""},
		{"all of it, a moment later", AuditFilter{Mailbox: box, Member: &anonymous, Rule: "no", Op: policy.POP3Dele, Verdict: policy.Defer, Kind: "verdict",
			Message: held, Folder: "INBOX", Since: second, Until: third.Add(time.Millisecond)}, "accept"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, e := range f.entries(test.filter) {
				if e.Kind == "verdict" {
					got = append(got, string(e.Outcome))
				} else {
					got = append(got, e.Kind)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
}

func TestAuditEntries(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	id := f.in(5).Message.ID
	if err := f.NoteHeader(t.Context(), id, "bob@example.com", "Lunch"); err != nil {
		t.Fatal(err)
	}
	e := f.entries(AuditFilter{})[0]
	if e.Facts == nil || e.Facts.Op != policy.IMAPExpunge || e.Folder != "" && e.Folder != "INBOX" || e.Message != id || e.Member != "alice" ||
		e.Verdict != policy.Defer || e.Outcome != policy.Deferred || e.Rule != "rule" || e.Sender != "bob@example.com" || e.Subject != "Lunch" {
		t.Errorf("%+v", e)
	}
	f.exec("UPDATE decisions SET facts = '[' WHERE message_id = ?", id)
	if _, _, err := f.AuditLog(t.Context(), AuditFilter{}); err == nil || !strings.Contains(err.Error(), "entry 1 of the record") && !strings.Contains(err.Error(), "JSON") {
		t.Errorf("a damaged entry: %v", err)
	}
}

// Page by page it is what it is at once, also where many have the same time.
func TestAuditPages(t *testing.T) {
	f := newFixture(t)
	v := f.visit("alice")
	for i := range 10 {
		if i%4 == 0 {
			v = f.visit("alice")
		}
		f.decided(v, Decision{Rule: fmt.Sprint(i)})
	}
	for _, size := range []int{1, 3, 5, 10, 11} {
		var got []string
		filter := AuditFilter{Mailbox: box, Limit: size}
		for n := 0; n == 0 || filter.After != ""; n++ {
			page, next, err := f.AuditLog(t.Context(), filter)
			if err != nil || len(page) > size {
				t.Fatalf("%d entries, %v", len(page), err)
			}
			for _, e := range page {
				got = append(got, e.Rule)
			}
			filter.After = next
		}
		if strings.Join(got, "") != "9876543210" {
			t.Errorf("pages of %d: %v", size, got)
		}
	}
	for _, wrong := range []Cursor{"1", "1.2.3", "a.b", "1.x"} {
		if _, _, err := f.AuditLog(t.Context(), AuditFilter{After: wrong}); !errors.Is(err, ErrCursor) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// plan is how SQLite reads what a query asks for.
func (f *fixture) plan(query string, args ...any) string {
	f.tb.Helper()
	var all []string
	err := f.reading(func(q querier) error {
		return each(f.tb.Context(), q, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			all = append(all, detail)
			return err
		}, "EXPLAIN QUERY PLAN "+query, args...)
	})
	if err != nil {
		f.tb.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// A page is read from an index, in its order: nothing is sorted, and nothing is
// read from the beginning.
func TestPagesAreReadByAnIndex(t *testing.T) {
	f := newFixture(t)
	name := member.Name("alice")
	now := f.clock.Now()
	for _, test := range []struct {
		name  string
		query func() (string, []any, error)
		want  string
	}{
		{"audit", AuditFilter{Limit: 10}.query, "SCAN d USING INDEX decisions_by_age"},
		{"audit, next page", AuditFilter{Limit: 10, After: "5.6"}.query, "SEARCH d USING INDEX decisions_by_age (at<?)"},
		{"audit since", AuditFilter{Limit: 10, Since: now, Rule: "r", Kind: "verdict"}.query, "SEARCH d USING INDEX decisions_by_age (at>?)"},
		{"audit of a mailbox", AuditFilter{Mailbox: box, Limit: 10, Member: &name, Folder: "x"}.query, "SEARCH d USING INDEX decisions_by_time (mailbox_id=?)"},
		{"audit of a mailbox, next page", AuditFilter{Mailbox: box, Limit: 10, After: "5.6"}.query, "SEARCH d USING INDEX decisions_by_time (mailbox_id=? AND at<?)"},
		{"held", Filter{Limit: 10}.query, "USING INDEX messages_held"},
		{"held, next page", Filter{Limit: 10, After: "1.2.3"}.query, "SEARCH m USING INDEX messages_held ((mailbox_id,held_since)>(?,?))"},
		{"held in a mailbox", Filter{Mailbox: box, Limit: 10, Member: &name, Rule: "r", Folder: "x"}.query, "SEARCH m USING INDEX messages_held (mailbox_id=?"},
		{"held in a mailbox, next page", Filter{Mailbox: box, Limit: 10, After: "1.2.3"}.query, "SEARCH m USING INDEX messages_held (mailbox_id=?"},
		{"forgetting", func() (string, []any, error) { return forgetDecisions, []any{1, 2}, nil }, "SEARCH decisions USING COVERING INDEX decisions_by_age (at<?)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			query, args, err := test.query()
			if err != nil {
				t.Fatal(err)
			}
			if plan := f.plan(query, args...); !strings.Contains(plan, test.want) || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("the plan is\n%s\nwant %s", plan, test.want)
			}
		})
	}
	query, args, err := AuditFilter{Message: 5, Limit: 10}.query()
	if plan := f.plan(query, args...); err != nil || !strings.Contains(plan, "decisions_by_message (message_id=?") {
		t.Errorf("audit of a message: %v\n%s", err, plan)
	}
}

func TestForgetDecisions(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		v := f.visit("alice")
		f.decided(v, Decision{})
		f.exec(`INSERT INTO decisions (at, mailbox_id, member, verdict, outcome, rule, facts)
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT ?, 1, '', '', '', '', '{}' FROM n`, chunk, millis(v.At))
		f.clock.pass(time.Hour)
	}
	if n, err := f.ForgetDecisions(t.Context(), f.clock.Now().Add(-time.Hour)); n != chunk+1 || err != nil {
		t.Errorf("%d are forgotten, %v", n, err)
	}
	if n := f.number("SELECT count(*) FROM decisions"); n != chunk+1 {
		t.Errorf("%d are left", n)
	}
	if n, err := f.ForgetDecisions(t.Context(), f.clock.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("%d are forgotten again, %v", n, err)
	}
}

func TestNoteHeader(t *testing.T) {
	f := newFixture(t)
	ids := heldOnes(f, "a", "b").IDs
	note := func(id message.ID, sender, subject string) {
		t.Helper()
		if err := f.NoteHeader(t.Context(), id, sender, subject); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(id message.ID) [2]string {
		t.Helper()
		d, err := f.Details(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return [2]string{d.Sender, d.Subject}
	}
	note(ids[0], "", "first")
	note(ids[0], "sender", "second")
	if got := kept(ids[0]); got != [2]string{"sender", "first"} {
		t.Errorf("kept %q", got)
	}
	note(ids[1], strings.Repeat("ä", maxHeader), "\xff\xfe")
	if got := kept(ids[1]); got[0] != strings.Repeat("ä", maxHeader/2) || !utf8.ValidString(got[1]) {
		t.Errorf("kept %q", got)
	}
	f.order("purge", ids...)
	note(ids[0], "sender", "subject")
	if got := [][2]string{kept(ids[0]), kept(ids[1])}; !slices.Equal(got, make([][2]string, 2)) {
		t.Errorf("kept of what is to be erased: %q", got)
	}
}

func TestDetails(t *testing.T) {
	f := newFixture(t)
	f.moveToTrash("alice", 5, 51)
	at := f.clock.Now()
	f.moveToTrash("bob", 5, 52)
	d, err := f.Details(t.Context(), f.in(5).Message.ID)
	if err != nil || len(d.Copies) != 2 || d.Copies[0] != (Copy{trash, 51, at}) || d.Copies[1].UID != 52 {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = f.Details(t.Context(), 12345); err != nil || len(d.Copies) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

func wantBypassed(f *fixture, want int) {
	f.tb.Helper()
	boxes, err := f.Mailboxes(f.tb.Context())
	if err != nil || len(boxes) != 1 || boxes[0].Bypassed != want {
		f.tb.Errorf("%+v, %v; want %d bypassed", boxes, err, want)
	}
}

// A message that is looked for again is not a second bypass.
func TestABypassIsOnRecordOnce(t *testing.T) {
	f := newFixture(t)
	heldOnes(f, "a", "b")
	f.expunge("alice", policy.Deferred, 5)
	for range 2 {
		f.enter("bob", mail("b", 1))
		f.settle(Settlement{Gone: []message.UID{5}})
	}
	wantBypassed(f, 2)
}

// What disappears without a release is on record, and counted for 30 days.
func TestBypassesAreOnRecord(t *testing.T) {
	for _, test := range []struct {
		name string
		gone func(f *fixture)
		why  string // "": it is no bypass
	}{
		{"not listed any more", func(f *fixture) { f.enter("bob", mail("b", 1)) }, "it is not listed any more"},
		{"not in its folder", func(f *fixture) { f.settle(Settlement{Gone: []message.UID{5}}) }, "it is not in its folder any more"},
		{"swept", func(f *fixture) { f.sweep(f.lookAt(9)) }, "it is not in its folder any more"},
		{"in an old life", func(f *fixture) {
			f.clock.pass(2 * forgetsAfter)
			f.recordIn("bob", FolderKey{"INBOX", 8}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 5)})
			f.exec("UPDATE folder_lives SET last_at = ? WHERE uid_validity = 8", millis(f.clock.Now()))
			f.forget()
		}, "its folder has another UIDVALIDITY"},
		{"its folder's name was given away", func(f *fixture) {
			f.recordIn("bob", FolderKey{"x", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 6)})
			if err := f.RenameFolder(t.Context(), box, "y", "x"); err != nil {
				t.Error(err)
			}
		}, "its folder's name was given to another"},
		{"released", func(f *fixture) { f.mustClaim(f.in(5).Message.ID); f.settle(Settlement{Gone: []message.UID{5}}) }, ""},
		{"released by POP3", func(f *fixture) { f.mustClaim(1); f.enter("bob", mail("b", 1)) }, ""},
		{"its folder was deleted", func(f *fixture) {
			f.recordIn("bob", FolderKey{"x", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 6)})
			if _, err := f.FolderGone(t.Context(), box, "x", false); err != nil {
				t.Error(err)
			}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			heldOnes(f, "a", "b")
			f.expunge("alice", policy.Deferred, 5)
			test.gone(f)
			got := f.entries(AuditFilter{Kind: "bypass"})
			if test.why == "" {
				if len(got) != 0 {
					t.Errorf("on record: %+v", got[0])
				}
				return
			}
			if len(got) != 1 || got[0].Why != test.why || got[0].Message == 0 || got[0].Mailbox != box {
				t.Fatalf("on record: %+v", got)
			}
			wantBypassed(f, 1)
			f.clock.pass(got[0].At.Add(bypassesShown + time.Millisecond).Sub(f.clock.Now()))
			wantBypassed(f, 0)
		})
	}
}
