package ledger

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

var inbox = FolderKey{Name: "INBOX", UIDValidity: 7}

// visitIMAP is visit by IMAP.
func (f *fixture) visitIMAP(name member.Name) Visit {
	v := f.visit(name)
	v.Protocol = member.IMAP
	return v
}

func folderDecisions(outcome policy.Outcome, list ...message.UID) []FolderDecision {
	var all []FolderDecision
	for _, d := range decisions(outcome, make([]message.ID, len(list))...) {
		d.Facts.Op = policy.IMAPExpunge
		seen := message.Seen{UID: list[len(all)], Size: 100}
		all = append(all, FolderDecision{Seen: seen, Verdict: d.Verdict, Rule: d.Rule, Outcome: outcome, Facts: d.Facts})
	}
	return all
}

// recordIn puts on record what a member did in a folder a second from now, and
// returns what was claimed and when.
func (f *fixture) recordIn(name member.Name, key FolderKey, r FolderRecord) ([]message.UID, time.Time) {
	f.tb.Helper()
	v := f.visitIMAP(name)
	if r.At.IsZero() {
		r.At = v.At
	}
	claimed, err := f.RecordFolder(f.tb.Context(), v, key, r)
	if err != nil {
		f.tb.Fatal(err)
	}
	return claimed, r.At
}

// expunge puts deletions from the inbox with one outcome on record.
func (f *fixture) expunge(name member.Name, outcome policy.Outcome, list ...message.UID) ([]message.UID, time.Time) {
	f.tb.Helper()
	return f.recordIn(name, inbox, FolderRecord{Decisions: folderDecisions(outcome, list...)})
}

func (f *fixture) settle(s Settlement) {
	f.tb.Helper()
	if s.At.IsZero() {
		s.At = f.clock.pass(time.Second)
	}
	if _, err := f.SettleFolder(f.tb.Context(), box, inbox, s); err != nil {
		f.tb.Fatal(err)
	}
}

// in is a message of the inbox, which must be known.
func (f *fixture) in(uid message.UID) *Held {
	f.tb.Helper()
	found, err := f.LookupFolder(f.tb.Context(), box, inbox, []message.UID{uid})
	if err != nil || found[uid] == nil {
		f.tb.Fatalf("UID %d: %v, %v", uid, found, err)
	}
	return found[uid]
}

func (f *fixture) openIn(name member.Name, key FolderKey) *Folder {
	f.tb.Helper()
	opened, err := f.OpenFolder(f.tb.Context(), f.visitIMAP(name), key)
	if err != nil {
		f.tb.Fatal(err)
	}
	return opened
}

func TestRecordFolderByOutcome(t *testing.T) {
	for _, test := range []struct {
		outcome                policy.Outcome
		claimed, deleted, held bool
	}{
		{policy.Deferred, false, true, true},
		{policy.Allowed, true, true, false},
		{policy.Observed, true, false, false},
		{policy.Refused, false, false, false},
		{policy.Accepted, false, false, false},
	} {
		t.Run(string(test.outcome), func(t *testing.T) {
			f := newFixture(t)
			claimed, _ := f.expunge("alice", test.outcome, 5)
			h := f.in(5)
			if slices.Equal(claimed, []message.UID{5}) != test.claimed || h.Message.Claimed.IsZero() == test.claimed {
				t.Errorf("claimed %v, %v", claimed, h.Message.Claimed)
			}
			if (len(h.Deletions) == 1) != test.deleted || h.Message.HeldSince.IsZero() == test.held {
				t.Errorf("deletions %v, held since %v", h.Deletions, h.Message.HeldSince)
			}
			if n := f.number("SELECT count(*) FROM decisions WHERE outcome = ? AND message_id = ?", test.outcome, h.Message.ID); n != 1 {
				t.Errorf("%d decisions on record", n)
			}
			if unsettled := f.openIn("bob", inbox).Unsettled; slices.Contains(unsettled, 5) != test.claimed {
				t.Errorf("unsettled %v", unsettled)
			}
		})
	}
}

// What cannot be claimed is not removed, does not count as deleted, keeps its
// mark, and the audit says that it stayed.
func TestAllowedAndNotClaimed(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(f *fixture)
	}{
		{"claimed by another", func(f *fixture) { f.expunge("bob", policy.Allowed, 5) }},
		{"observed by another", func(f *fixture) { f.expunge("bob", policy.Observed, 5) }},
		{"pinned", func(f *fixture) {
			f.expunge("bob", policy.Refused, 5)
			f.exec("UPDATE messages SET pinned = 1")
		}},
		{"gone a moment ago", func(f *fixture) {
			f.expunge("bob", policy.Refused, 5)
			f.settle(Settlement{Gone: []message.UID{5}})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.before(f)
			if err := f.Mark(t.Context(), f.visitIMAP("alice"), inbox, []message.UID{5}, nil); err != nil {
				t.Fatal(err)
			}
			claimed, at := f.expunge("alice", policy.Allowed, 5)
			if len(claimed) != 0 || !slices.Equal(f.openIn("alice", inbox).Marks, []message.UID{5}) {
				t.Errorf("claimed %v, marks %v", claimed, f.openIn("alice", inbox).Marks)
			}
			h := f.in(5)
			if slices.ContainsFunc(h.Deletions, func(d Deletion) bool { return d.Member == "alice" }) || !h.Message.HeldSince.IsZero() {
				t.Errorf("deletions %v, held since %v", h.Deletions, h.Message.HeldSince)
			}
			if n := f.number("SELECT count(*) FROM decisions WHERE at = ? AND verdict = 'allow' AND outcome = 'refuse'", millis(at)); n != 1 {
				t.Errorf("%d decisions say so", n)
			}
		})
	}
}

func TestAllowedOverIMAPIsClaimedOnce(t *testing.T) {
	f := newFixture(t)
	names := []member.Name{"alice", "bob", "carol", "alice"}
	claims := make([][]message.UID, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		v := f.visitIMAP(name)
		r := FolderRecord{At: v.At, Decisions: folderDecisions(policy.Allowed, 1, 2, 3, 3)}
		all.Go(func() {
			var err error
			if claims[i], err = f.RecordFolder(t.Context(), v, inbox, r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := slices.Concat(claims...)
	if slices.Sort(got); !slices.Equal(got, []message.UID{1, 2, 3}) {
		t.Errorf("claimed %v", claims)
	}
}

func TestSettle(t *testing.T) {
	long := claimLasts + time.Second
	for _, test := range []struct {
		name      string
		outcome   policy.Outcome // of bob's deletion
		wait      time.Duration
		own, gone bool
		goneHow   string
		claimed   bool
		deletions int
	}{
		{"allowed and gone", policy.Allowed, 0, true, true, goneAllowed, true, 1},
		{"observed and gone", policy.Observed, 0, true, true, goneObserved, true, 0},
		{"gone past the guard", policy.Refused, 0, false, true, goneBypass, false, 0},
		{"gone, settled by another", policy.Allowed, 0, false, true, goneAllowed, true, 1},
		{"there, its own", policy.Allowed, 0, true, false, "", false, 0},
		{"there, its own, after long", policy.Allowed, long, true, false, "", false, 0},
		{"there, another's that may be under way", policy.Allowed, claimLasts - time.Second, false, false, "", true, 1},
		{"there, another's after long", policy.Allowed, long, false, false, "", false, 0},
		{"observed, there, another's after long", policy.Observed, long, false, false, "", false, 0},
		{"there, never claimed", policy.Refused, long, false, false, "", false, 0},
		{"deferred before, there", policy.Deferred, long, false, false, "", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			_, at := f.expunge("bob", test.outcome, 5)
			s := Settlement{At: f.clock.pass(test.wait), There: []message.UID{5}}
			if test.own {
				s.Own = map[message.UID]time.Time{5: at}
			}
			if test.gone {
				s.Gone, s.There = s.There, nil
			}
			f.settle(s)
			f.settle(s) // and once more, which changes nothing
			h := f.in(5)
			if h.Message.GoneHow != test.goneHow || h.Message.Gone.IsZero() == test.gone || h.Message.Claimed.IsZero() == test.claimed {
				t.Errorf("gone %q at %v, claimed %v", h.Message.GoneHow, h.Message.Gone, h.Message.Claimed)
			}
			if held := !h.Message.HeldSince.IsZero(); len(h.Deletions) != test.deletions || held != (test.outcome == policy.Deferred) {
				t.Errorf("deletions %v, held %v", h.Deletions, held)
			}
		})
	}
}

// A claim that was withdrawn and made again by another is not taken from them.
func TestSettleOwnClaimOnly(t *testing.T) {
	f := newFixture(t)
	_, at := f.expunge("alice", policy.Allowed, 5)
	own := Settlement{There: []message.UID{5}, Own: map[message.UID]time.Time{5: at}}
	f.settle(own)
	if claimed, _ := f.expunge("bob", policy.Allowed, 5); len(claimed) != 1 {
		t.Fatal("a claim that was withdrawn stands in the way")
	}
	f.settle(own)
	if h := f.in(5); h.Message.Claimed.IsZero() || len(h.Deletions) != 1 || h.Deletions[0].Member != "bob" {
		t.Errorf("%+v", h)
	}
}

// Settling is about one life of one folder of one mailbox.
func TestSettleElsewhere(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Allowed, 5)
	for _, key := range []FolderKey{{"INBOX", 8}, {"Trash", 7}} {
		if _, err := f.SettleFolder(t.Context(), box, key, Settlement{At: f.clock.Now(), Gone: []message.UID{5}}); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.SettleFolder(t.Context(), "sales@example.com", inbox, Settlement{At: f.clock.Now(), Gone: []message.UID{5}}); err != nil {
		t.Error(err)
	}
	if h := f.in(5); !h.Message.Gone.IsZero() {
		t.Errorf("gone %q", h.Message.GoneHow)
	}
}

// A message that a decision saw long after it should have been gone is there.
func TestReappears(t *testing.T) {
	for _, test := range []struct {
		name string
		gone bool
		wait time.Duration
		want int // claimed by the second
	}{
		{"gone long ago", true, claimLasts + 2*time.Second, 1},
		{"gone just now", true, time.Second, 0},
		{"claimed long ago", false, claimLasts + 2*time.Second, 1},
		{"claimed just now", false, time.Second, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.expunge("alice", policy.Allowed, 5)
			if test.gone {
				f.settle(Settlement{Gone: []message.UID{5}})
			}
			f.clock.pass(test.wait)
			claimed, _ := f.expunge("bob", policy.Allowed, 5)
			h := f.in(5)
			if len(claimed) != test.want || len(h.Deletions) != 1 || (h.Deletions[0].Member == "bob") != (test.want == 1) {
				t.Errorf("claimed %v, deletions %v", claimed, h.Deletions)
			}
			if test.want == 1 && !h.Message.Gone.IsZero() {
				t.Error("it is still gone")
			}
		})
	}
}

func TestWhatARowSaysFirstStands(t *testing.T) {
	f := newFixture(t)
	date := f.clock.Now().Add(-time.Hour)
	_, first := f.recordIn("alice", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, At: f.clock.pass(time.Second)}}})
	f.recordIn("alice", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 5, At: f.clock.Now(), Size: 100, Fingerprint: fingerprint(1)}}})
	d := folderDecisions(policy.Refused, 5)
	d[0].Seen = message.Seen{UID: 5, Size: 200, InternalDate: date}
	f.recordIn("bob", inbox, FolderRecord{Decisions: d})
	d[0].Seen.InternalDate = date.Add(time.Minute)
	f.recordIn("bob", inbox, FolderRecord{Decisions: d, Fetches: []FolderFetch{{UID: 5, At: f.clock.Now(), Fingerprint: fingerprint(2)}}})
	h := f.in(5)
	m := h.Message
	if m.Size != 100 || *m.Fingerprint != *fingerprint(1) || !m.InternalDate.Equal(date) || m.FirstSeen.After(first) {
		t.Errorf("%+v", m)
	}
	if m.UID != 5 || m.UIDValidity != 7 || m.Folder != "INBOX" || m.UniqueID != "" {
		t.Errorf("%+v", m)
	}
	if names := f.whoFetched(m.ID); !slices.Equal(names, []member.Name{"alice", "bob"}) {
		t.Errorf("fetched by %v", names)
	}
	if facts := h.Facts(); !facts.FirstSeen.Equal(date) || facts.Fetched[0] != (policy.Progress{Member: "alice", Protocol: member.IMAP}) {
		t.Errorf("%+v", facts)
	}
}

func TestLookupFolder(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Refused, 1, 2, 3)
	for _, key := range []FolderKey{{"INBOX", 8}, {"Trash", 7}} {
		f.recordIn("alice", key, FolderRecord{Decisions: folderDecisions(policy.Refused, 4)})
	}
	f.enter("alice", mail("a", 1))
	found, err := f.LookupFolder(t.Context(), box, inbox, []message.UID{3, 1, 4, 9})
	if err != nil || len(found) != 2 || found[1].Message.UID != 1 || found[3].Message.UID != 3 {
		t.Errorf("%v, %v", found, err)
	}
	for name, other := range map[string]member.Mailbox{"another mailbox": "sales@example.com"} {
		if found, err := f.LookupFolder(t.Context(), other, inbox, []message.UID{1}); err != nil || len(found) != 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	if found, err := f.LookupFolder(t.Context(), box, inbox, nil); err != nil || len(found) != 0 {
		t.Errorf("none: %v, %v", found, err)
	}
}
