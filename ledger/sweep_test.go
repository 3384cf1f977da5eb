package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailguard/message"
	"mailguard/policy"
)

// lookAt is a look that shows these messages, in ascending order.
func (f *fixture) lookAt(upTo message.UID, present ...message.UID) Look {
	look := Look{At: f.clock.pass(time.Second), UpTo: upTo, Exists: uint32(len(present))}
	for _, uid := range present {
		if n := len(look.Present); n > 0 && look.Present[n-1].Last == uid-1 {
			look.Present[n-1].Last = uid
			continue
		}
		look.Present = append(look.Present, UIDRange{uid, uid})
	}
	return look
}

func (f *fixture) sweep(look Look) Swept {
	f.tb.Helper()
	swept, err := f.Sweep(f.tb.Context(), box, inbox, look)
	if err != nil {
		f.tb.Fatal(err)
	}
	return swept
}

func TestLooksThatContradictThemselves(t *testing.T) {
	for _, test := range []struct {
		name    string
		exists  uint32
		present []UIDRange
		ok      bool
	}{
		{"empty", 0, nil, true},
		{"empty, and there are some", 3, nil, false},
		{"all", 6, []UIDRange{{1, 1}, {3, 6}, {4294967295, 4294967295}}, true},
		{"adjacent", 4, []UIDRange{{1, 2}, {3, 4}}, true},
		{"one short", 4, []UIDRange{{1, 3}}, false},
		{"one too many", 2, []UIDRange{{1, 3}}, false},
		{"UID 0", 2, []UIDRange{{0, 1}}, false},
		{"overlapping", 4, []UIDRange{{1, 2}, {2, 3}}, false},
		{"descending", 2, []UIDRange{{3, 3}, {1, 1}}, false},
		{"back to front", 2, []UIDRange{{2, 1}}, false},
		{"more than can be counted", 0, []UIDRange{{1, 4294967295}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.expunge("alice", policy.Deferred, 5)
			f.mark("alice", inbox, []message.UID{6}, nil)
			f.clock.pass(sweepEvery)
			before := f.dump()
			_, err := f.Sweep(t.Context(), box, inbox, Look{At: f.clock.Now(), UpTo: 9, Exists: test.exists, Present: test.present})
			if (err == nil) != test.ok || err != nil && !errors.Is(err, errImplausible) {
				t.Errorf("%v", err)
			}
			if !test.ok && f.dump() != before {
				t.Error("something is on record")
			}
			if due := f.openIn("alice", inbox).SweepDue; due == test.ok {
				t.Errorf("due: %v", due)
			}
		})
	}
}

// What a look does not show is missing, whatever the ranges.
func TestMissing(t *testing.T) {
	f := &fixture{clock: newClock()}
	list := rapid.Custom(func(t *rapid.T) []message.UID {
		return slices.Sorted(slices.Values(rapid.SliceOfDistinct(rapid.Map(rapid.IntRange(1, 30), func(n int) message.UID { return message.UID(n) }), rapid.ID).Draw(t, "UIDs")))
	})
	rapid.Check(t, func(t *rapid.T) {
		present, known := list.Draw(t, "present"), list.Draw(t, "known")
		look := f.lookAt(30, present...)
		if err := look.check(); err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(known), func(uid message.UID) bool { return slices.Contains(present, uid) })
		if got := look.missing(known); !slices.Equal(got, want) {
			t.Fatalf("missing %v, want %v", got, want)
		}
	})
}

// A sweep settles what is not there: whatever was on record of it.
func TestSweep(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, 1, 2, 3, 4)
	f.expunge("bob", policy.Deferred, 2, 9)
	f.expunge("bob", policy.Allowed, 5, 6)
	f.recordIn("bob", inbox, FolderRecord{Fetches: []FolderFetch{{UID: 7, At: f.clock.Now()}, {UID: 8, At: f.clock.Now()}}})
	f.mark("carol", inbox, []message.UID{10, 11}, nil)
	f.recordIn("alice", trash, FolderRecord{Decisions: moves(policy.Deferred, 1), Copies: []FolderCopy{
		{Original: 1, Folder: "INBOX", Placed: Placed{7, 12}}, {Original: 1, Folder: "INBOX", Placed: Placed{7, 13}},
	}})
	for _, key := range []FolderKey{trash, {"INBOX", 8}} {
		f.recordIn("alice", key, FolderRecord{Decisions: folderDecisions(policy.Deferred, 2)})
	}
	look := f.lookAt(20, 1, 4, 5, 7, 10, 12, 25)
	f.expunge("dave", policy.Deferred, 14) // after the look
	f.expunge("alice", policy.Deferred, 21)
	swept := f.sweep(look)
	if want := []message.UID{2, 3, 6, 8, 9, 11, 13}; !slices.Equal(swept.Gone, want) || len(swept.Back) != 0 {
		t.Errorf("%+v, want %v", swept, want)
	}
	f.wantHidden("swept", "alice", 1, 4, 21)
	f.wantHidden("swept", "bob")
	f.wantHidden("swept", "dave", 14)
	if marks := f.openIn("carol", inbox).Marks; !slices.Equal(marks, []message.UID{10}) {
		t.Errorf("marks %v", marks)
	}
	for uid, how := range map[message.UID]string{2: goneBypass, 6: goneAllowed, 8: goneBypass, 1: "", 5: "", 14: ""} {
		if h := f.in(uid); h.Message.GoneHow != how || !h.Message.Gone.IsZero() && !h.Message.Gone.Equal(look.At) {
			t.Errorf("%d is gone %q at %v", uid, h.Message.GoneHow, h.Message.Gone)
		}
	}
	if n := f.number("SELECT count(*) FROM moved_copies"); n != 1 {
		t.Errorf("%d copies are left", n)
	}
	for _, key := range []FolderKey{trash, {"INBOX", 8}} {
		if got := f.openIn("alice", key).Hidden; !slices.Contains(got, 2) {
			t.Errorf("%v: hidden %v", key, got)
		}
	}
	if again := f.sweep(look); len(again.Gone) != 0 {
		t.Errorf("once more: %+v", again)
	}
}

// What came back by an undo and is not there gives its copy back.
func TestSweepOfUndone(t *testing.T) {
	f := undoneInbox(t)
	if swept := f.sweep(f.lookAt(9)); !slices.Equal(swept.Back, []Returned{{"alice", trash, 51}}) {
		t.Errorf("%+v", swept)
	}
	f.wantBinned("alice")
}

func TestSweepDue(t *testing.T) {
	anew := FolderKey{"INBOX", 8}
	f := newFixture(t)
	due := func(when string, want bool, keys ...FolderKey) {
		t.Helper()
		for _, key := range keys {
			if got := f.openIn("carol", key).SweepDue; got != want {
				t.Errorf("%s: %v is due: %v", when, key, got)
			}
		}
	}
	f.recordIn("carol", FolderKey{"Sent", 1}, FolderRecord{Decisions: folderDecisions(policy.Refused, 1)})
	due("nothing known", false, inbox, anew)
	f.expunge("alice", policy.Deferred, 5)
	f.mark("alice", trash, []message.UID{1}, nil)
	due("just recorded", false, inbox, trash)
	due("another life is known", true, anew)
	f.clock.pass(sweepEvery)
	due("a day later", true, inbox, trash)
	f.sweep(f.lookAt(9, 5))
	due("swept", false, inbox)
	due("another folder was swept", true, trash)
	f.expunge("alice", policy.Deferred, 6)
	f.clock.pass(sweepEvery)
	due("a day later", true, inbox)
	if _, err := f.Sweep(t.Context(), box, anew, f.lookAt(9)); err != nil {
		t.Fatal(err)
	}
	due("the new life was swept", false, anew)
	if err := f.RenameFolder(t.Context(), box, "Trash", "Bin"); err != nil {
		t.Fatal(err)
	}
	due("renamed", true, FolderKey{"Bin", 3})
	due("renamed", false, trash)
	if got := f.openIn("stranger", FolderKey{"Sent", 1}).SweepDue; !got {
		t.Error("it is not due for somebody new")
	}
}

// A sweep that fails is tried again, and what it has settled is told.
func TestSweepFails(t *testing.T) {
	f := newFixture(t)
	f.expunge("alice", policy.Deferred, uidRange(1, chunk+1)...)
	f.clock.pass(sweepEvery)
	f.exec(fmt.Sprintf("CREATE TRIGGER fault BEFORE UPDATE ON messages WHEN new.uid = %d BEGIN SELECT RAISE(ABORT, 'fault'); END", chunk+1))
	swept, err := f.Sweep(t.Context(), box, inbox, f.lookAt(chunk+1))
	if err == nil || len(swept.Gone) != chunk {
		t.Errorf("%d are gone, %v", len(swept.Gone), err)
	}
	if opened := f.openIn("alice", inbox); !opened.SweepDue || len(opened.Hidden) != 1 {
		t.Errorf("%+v", opened)
	}
	f.exec("DROP TRIGGER fault")
	if swept := f.sweep(f.lookAt(chunk + 1)); !slices.Equal(swept.Gone, []message.UID{chunk + 1}) {
		t.Errorf("%+v", swept)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Sweep(t.Context(), box, inbox, f.lookAt(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// BenchmarkSweep is a folder of 100,000 messages, every other UID, of all of
// which a fetch is on record; then a tenth of them went past the guard.
func BenchmarkSweep(b *testing.B) {
	const many = 100_000
	f := newFixture(b)
	for piece := range slices.Chunk(uidRange(1, many), manyUIDs) {
		r := FolderRecord{At: f.clock.Now()}
		for _, uid := range piece {
			r.Fetches = append(r.Fetches, FolderFetch{UID: 2 * uid, Size: 1000, At: r.At})
		}
		f.recordIn("alice", inbox, r)
	}
	var all, left []message.UID
	for _, uid := range uidRange(1, many) {
		if all = append(all, 2*uid); uid%10 != 0 {
			left = append(left, 2*uid)
		}
	}
	b.Run("nothing is gone", func(b *testing.B) {
		for b.Loop() {
			f.sweep(f.lookAt(2*many, all...))
		}
	})
	b.Run("10,000 are gone", func(b *testing.B) {
		for b.Loop() {
			if swept := f.sweep(f.lookAt(2*many, left...)); len(swept.Gone) != many/10 {
				b.Fatal(len(swept.Gone))
			}
			b.StopTimer()
			f.exec("UPDATE messages SET gone_at = NULL, gone_how = NULL")
			b.StartTimer()
		}
	})
}
