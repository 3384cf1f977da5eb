package ledger

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

func (f *fixture) wantHidden(when string, name member.Name, want ...message.UID) {
	f.tb.Helper()
	if got := f.openIn(name, inbox).Hidden; !slices.Equal(got, want) {
		f.tb.Errorf("%s: hidden from %q is %v, want %v", when, name, got, want)
	}
	counts, err := f.HiddenIn(f.tb.Context(), f.visitIMAP(name), "INBOX")
	if n := counts.In(7).Messages; err != nil || n != len(want) {
		f.tb.Errorf("%s: %d count as hidden from %q, %v", when, n, name, err)
	}
}

// checkHidden makes sure that deletions say where they hide their messages, and
// that those which hide none say nothing: what is gone must not be looked
// through for ever. It is what every test of a ledger ends with.
func (f *fixture) checkHidden() {
	f.tb.Helper()
	if f.State() == Unreadable {
		return
	}
	var n int
	err := f.reading(func(q querier) error {
		return q.QueryRowContext(context.Background(), `SELECT count(*) FROM deletions d JOIN messages m ON m.id = d.message_id
			WHERE d.uid IS NOT CASE WHEN d.hides = 1 AND m.gone_at IS NULL THEN m.uid END
				OR d.uid IS NOT NULL AND (d.folder IS NOT m.folder OR d.uid_validity IS NOT m.uid_validity
					OR m.held_since IS NULL OR d.protocol <> 'imap')`).Scan(&n)
	})
	if err != nil && !errors.Is(err, ErrClosed) || n != 0 {
		f.tb.Errorf("%d deletions hide something that is not there, or show what is: %v", n, err)
	}
}

func TestHiddenByOutcome(t *testing.T) {
	for _, outcome := range []policy.Outcome{policy.Deferred, policy.Allowed, policy.Observed, policy.Refused, policy.Accepted} {
		t.Run(string(outcome), func(t *testing.T) {
			f := newFixture(t)
			f.mark("alice", inbox, []message.UID{5, 6}, nil)
			f.expunge("alice", outcome, 5)
			if outcome == policy.Deferred {
				f.wantHidden("deferred", "alice", 5)
				if marks := f.openIn("alice", inbox).Marks; !slices.Equal(marks, []message.UID{6}) {
					t.Errorf("marks %v", marks)
				}
			} else {
				f.wantHidden("not deferred", "alice")
			}
			f.wantHidden("another member", "bob")
			f.wantHidden("the anonymous member", "")
		})
	}
}

// What a member hides is theirs: also the anonymous member's, also by protocol,
// folder and life of the folder.
func TestHiddenIsOfOneMemberAndFolder(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 9, 3)
	f.expunge("", policy.Deferred, 4)
	f.expunge("bob", policy.Deferred, 3)
	f.recordIn("alice", FolderKey{"INBOX", 8}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 1)})
	f.recordIn("alice", FolderKey{"Trash", 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, 2)})
	s := f.enter("alice", mail("a", 1))
	s.dele(policy.Deferred, s.IDs[0])
	f.wantHidden("in the end", "alice", 3, 9)
	f.wantHidden("in the end", "", 4)
	f.wantHidden("in the end", "bob", 3)
	f.wantHidden("in the end", "carol")
}

// A deferral outlives a claim of the same member's on the same message, made
// before it or after it, whose removal does not happen.
func TestHidingOutlivesAClaim(t *testing.T) {
	for _, first := range []policy.Outcome{policy.Allowed, policy.Deferred} {
		t.Run(string(first)+" first", func(t *testing.T) {
			f := newFixture(t)
			second := policy.Deferred
			if first == policy.Deferred {
				second = policy.Allowed
			}
			_, at := f.expunge("alice", first, 5)
			_, later := f.expunge("alice", second, 5)
			f.wantHidden("under way", "alice", 5)
			if second == policy.Allowed {
				at = later
			}
			f.settle(Settlement{There: []message.UID{5}, Own: map[message.UID]time.Time{5: at}})
			f.wantHidden("not carried out", "alice", 5)
			if h := f.in(5); h.Message.HeldSince.IsZero() || !h.Message.Claimed.IsZero() || h.Deletions[0].Verdict != policy.Defer {
				t.Errorf("%+v", h)
			}
		})
	}
}

// An allowed deletion that is put off hides too, and stands.
func TestAllowedVerdictThatIsDeferred(t *testing.T) {
	f := newFixture(t)
	d := folderDecisions(policy.Deferred, 5)
	d[0].Verdict = policy.Allow
	f.recordIn("alice", inbox, FolderRecord{Decisions: d})
	f.clock.pass(claimLasts + time.Minute)
	f.expunge("bob", policy.Observed, 5)
	f.settle(Settlement{At: f.clock.pass(2 * claimLasts), There: []message.UID{5}})
	f.wantHidden("settled", "alice", 5)
}

func TestHiddenEnds(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 1, 2, 3)
	f.expunge("bob", policy.Deferred, 2)
	f.settle(Settlement{Gone: []message.UID{2}, There: []message.UID{1}})
	f.wantHidden("gone", "alice", 1, 3)
	f.wantHidden("gone", "bob")
	if h := f.in(2); h.Message.GoneHow != goneBypass {
		t.Errorf("gone %q", h.Message.GoneHow)
	}
	f.mustClaim(f.in(3).Message.ID)
	f.wantHidden("its release is under way", "alice", 1, 3)
	f.settle(Settlement{Gone: []message.UID{3}})
	f.wantHidden("released", "alice", 1)
	if n := f.number("SELECT count(*) FROM deletions INDEXED BY deletions_hidden WHERE uid IS NOT NULL"); n != 1 {
		t.Errorf("%d entries are left to look through", n)
	}
}

// What somebody sees long after it should have been gone is there, and hidden
// from whoever had deleted it: also from who did when it was just gone.
func TestHiddenComesBack(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 5)
	f.settle(Settlement{Gone: []message.UID{5}})
	f.expunge("bob", policy.Deferred, 5)
	f.wantHidden("gone", "alice")
	f.wantHidden("gone", "bob")
	f.clock.pass(claimLasts + time.Minute)
	f.expunge("carol", policy.Refused, 5)
	f.wantHidden("there again", "alice", 5)
	f.wantHidden("there again", "bob", 5)
	f.wantHidden("there again", "carol")
}

// With a folder goes what is hidden in it, and nothing else.
func TestHiddenGoesWithTheFolder(t *testing.T) {
	f := newFixture(t)
	a := FolderKey{"a", 7}
	f.expunge("alice", policy.Deferred, 5)
	for _, who := range []member.Name{"alice", "bob"} {
		f.recordIn(who, a, FolderRecord{Decisions: folderDecisions(policy.Deferred, 5, 6)})
	}
	if _, err := f.FolderGone(t.Context(), box, "a", false); err != nil {
		t.Fatal(err)
	}
	f.recordIn("bob", a, FolderRecord{Decisions: folderDecisions(policy.Deferred, 6)})
	f.wantHidden("its folder is there", "alice", 5)
	for who, want := range map[member.Name][]message.UID{"alice": nil, "bob": {6}} {
		if got := f.openIn(who, a).Hidden; !slices.Equal(got, want) {
			t.Errorf("hidden from %q: %v, want %v", who, got, want)
		}
	}
}

// A folder that is made anew, or renumbered, shows everything. What is known of
// its old life stays as it was, and is found under its old name only.
func TestHiddenInAnotherLife(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 1, 2)
	anew := FolderKey{"INBOX", 8}
	f.mark("alice", anew, []message.UID{1}, nil)
	if opened := f.openIn("alice", anew); len(opened.Hidden)+len(opened.Unsettled) != 0 {
		t.Errorf("%+v", opened)
	}
	f.recordIn("bob", anew, FolderRecord{Decisions: folderDecisions(policy.Allowed, 1)})
	if _, err := f.SettleFolder(t.Context(), box, anew, Settlement{At: f.clock.Now(), Gone: []message.UID{1, 2}}); err != nil {
		t.Fatal(err)
	}
	f.wantHidden("the old life", "alice", 1, 2)
	for _, uid := range []message.UID{1, 2} {
		if h := f.in(uid); !h.Message.Gone.IsZero() || !h.Message.Claimed.IsZero() || h.Message.UIDValidity != 7 {
			t.Errorf("%+v", h.Message)
		}
	}
	counts, err := f.HiddenIn(t.Context(), f.visitIMAP("alice"), "INBOX")
	if err != nil || counts.In(8) != (HiddenCount{UIDValidity: 8}) || counts.In(7).Messages != 2 {
		t.Errorf("%v, %v", counts, err)
	}
}

func TestHiddenFollowsARenaming(t *testing.T) {
	f := newFixture(t)
	for i, name := range []string{"a", "a/b", "z"} {
		f.recordIn("alice", FolderKey{name, 7}, FolderRecord{Decisions: folderDecisions(policy.Deferred, message.UID(i+1))})
	}
	if err := f.RenameFolder(t.Context(), box, "a", "z"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]message.UID{"a": nil, "a/b": nil, "z": {1}, "z/b": {2}} {
		if got := f.openIn("alice", FolderKey{name, 7}).Hidden; !slices.Equal(got, want) {
			t.Errorf("%s: hidden %v, want %v", name, got, want)
		}
	}
}

func TestHiddenCounts(t *testing.T) {
	f := newFixture(t)
	hide := func(who member.Name, key FolderKey, uid message.UID, size int64, flags ...string) {
		d := folderDecisions(policy.Deferred, uid)
		d[0].Seen = message.Seen{UID: uid, Size: size, Flags: flags}
		f.recordIn(who, key, FolderRecord{Decisions: d})
	}
	hide("alice", inbox, 1, 100, `\Seen`)
	hide("alice", inbox, 2, 50, `\Answered`, `\SEEN`)
	hide("alice", inbox, 3, 7, `\Flagged`)
	hide("alice", inbox, 4, 0)
	hide("bob", inbox, 5, 1000)
	hide("alice", FolderKey{"INBOX", 9}, 1, 11)
	hide("alice", FolderKey{"a/b", 7}, 1, 20, `\Seen`)
	hide("alice", FolderKey{"gone", 7}, 1, 20)
	if _, err := f.SettleFolder(t.Context(), box, FolderKey{"gone", 7}, Settlement{At: f.clock.Now(), Gone: []message.UID{1}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]HiddenCounts{
		"INBOX": {{7, 4, 157, 2}, {9, 1, 11, 1}},
		"a/b":   {{7, 1, 20, 0}},
	}
	all, err := f.HiddenEverywhere(t.Context(), f.visitIMAP("alice"))
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	for _, name := range []string{"INBOX", "a/b", "gone", "nowhere"} {
		if got, err := f.HiddenIn(t.Context(), f.visitIMAP("alice"), name); err != nil || !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if none, err := f.HiddenEverywhere(t.Context(), f.visitIMAP("carol")); err != nil || len(none) != 0 {
		t.Errorf("of a stranger: %v, %v", none, err)
	}
	elsewhere := f.visitIMAP("alice")
	elsewhere.Mailbox = "sales@example.com"
	if none, err := f.HiddenEverywhere(t.Context(), elsewhere); err != nil || len(none) != 0 {
		t.Errorf("of another mailbox: %v, %v", none, err)
	}
}

// What is hidden is found without a look at what others hide, at other folders
// or at all that the member ever deleted.
func TestHiddenIsReadByItsIndex(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name, query string
		args        []any
		steps       int
	}{
		{"OpenFolder", listHidden, []any{1, "INBOX", 7}, 1},
		{"HiddenIn", sumHidden + hiddenInFolder, []any{1, "INBOX"}, 2},
		{"HiddenEverywhere", sumHidden + byFolder, []any{1}, 2},
	} {
		var plan []string
		err := f.reading(func(q querier) error {
			rows, err := q.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+c.query, c.args...)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					return err
				}
				plan = append(plan, detail)
			}
			return rows.Err()
		})
		text := strings.Join(plan, "; ")
		if err != nil || len(plan) != c.steps || strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s: %s, %v", c.name, text, err)
		}
	}
}

// hiddenBefore is a ledger in which alice has hidden some messages, and others
// have hidden 10,000, in one folder. Much was hidden before and is gone.
func hiddenBefore(b *testing.B, hidden int) *fixture {
	b.Helper()
	f := newFixture(b)
	f.expunge("alice", policy.Deferred, uidRange(1, 20_000)...)
	f.settle(Settlement{Gone: uidRange(1, 20_000)})
	f.expunge("alice", policy.Deferred, uidRange(30_000, hidden)...)
	f.expunge("bob", policy.Deferred, uidRange(35_000, 10_000)...)
	return f
}

// BenchmarkOpenFolderHidden opens a folder.
func BenchmarkOpenFolderHidden(b *testing.B) {
	for _, hidden := range []int{0, 10, 10_000} {
		b.Run(fmt.Sprintf("hidden=%d", hidden), func(b *testing.B) {
			f := hiddenBefore(b, hidden)
			v := f.visitIMAP("alice")
			for b.Loop() {
				if opened, err := f.OpenFolder(b.Context(), v, inbox); err != nil || len(opened.Hidden) != hidden {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHiddenIn is what a STATUS asks: of the folder, and of another one.
func BenchmarkHiddenIn(b *testing.B) {
	for _, hidden := range []int{0, 10_000} {
		f := hiddenBefore(b, hidden)
		v := f.visitIMAP("alice")
		for _, of := range []struct {
			folder string
			want   int
		}{{"INBOX", hidden}, {"Trash", 0}} {
			b.Run(fmt.Sprintf("hidden=%d/%s", hidden, of.folder), func(b *testing.B) {
				for b.Loop() {
					if counts, err := f.HiddenIn(b.Context(), v, of.folder); err != nil || counts.In(7).Messages != of.want {
						b.Fatal(counts, err)
					}
				}
			})
		}
	}
}

// BenchmarkRecordHiding puts 5,000 deferrals on record.
func BenchmarkRecordHiding(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	first := message.UID(1)
	for b.Loop() {
		f.expunge("alice", policy.Deferred, uidRange(first, manyUIDs)...)
		first += manyUIDs
	}
}
