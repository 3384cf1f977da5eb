package ledger

import (
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const manyUIDs = 5_000

// uidRange are n UIDs in a row.
func uidRange(first message.UID, n int) []message.UID {
	all := make([]message.UID, n)
	for i := range all {
		all[i] = first + message.UID(i)
	}
	return all
}

// crowd is a mailbox that some members use by IMAP.
func crowd(f *fixture) {
	f.tb.Helper()
	for _, name := range []member.Name{"alice", "bob", "carol", "dave", "erin"} {
		if err := f.Arrive(f.tb.Context(), f.visitIMAP(name)); err != nil {
			f.tb.Fatal(err)
		}
	}
}

// BenchmarkMark marks and unmarks 5,000 messages, in a commit each.
func BenchmarkMark(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	v, list := f.visitIMAP("alice"), uidRange(1, manyUIDs)
	for b.Loop() {
		if err := f.Mark(b.Context(), v, inbox, list, nil); err != nil {
			b.Fatal(err)
		}
		if err := f.Mark(b.Context(), v, inbox, nil, list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMarkOne is a client that marks message by message in a folder with
// many marks.
func BenchmarkMarkOne(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	v := f.visitIMAP("alice")
	if err := f.Mark(b.Context(), v, inbox, uidRange(1, manyUIDs), nil); err != nil {
		b.Fatal(err)
	}
	uid := message.UID(manyUIDs)
	for b.Loop() {
		uid++
		if err := f.Mark(b.Context(), v, inbox, []message.UID{uid}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecordFolder puts 5,000 allowed deletions on record and settles them.
func BenchmarkRecordFolder(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	v := f.visitIMAP("alice")
	everyone, err := f.Everyone(b.Context(), box)
	if err != nil {
		b.Fatal(err)
	}
	first := message.UID(1)
	for b.Loop() {
		r := FolderRecord{At: f.clock.pass(time.Second)}
		for _, uid := range uidRange(first, manyUIDs) {
			r.Decisions = append(r.Decisions, FolderDecision{
				Seen: message.Seen{UID: uid, Size: 1000, InternalDate: r.At}, Verdict: policy.Allow, Rule: "rule", Outcome: policy.Allowed,
				Facts: &policy.Facts{Op: policy.IMAPExpunge, Mailbox: policy.MailboxFacts{Name: box, Everyone: everyone}},
			})
		}
		claimed, err := f.RecordFolder(b.Context(), v, inbox, r)
		if err != nil || len(claimed) != manyUIDs {
			b.Fatal(len(claimed), err)
		}
		b.StopTimer()
		if _, err := f.SettleFolder(b.Context(), box, inbox, Settlement{At: r.At, Gone: claimed}); err != nil {
			b.Fatal(err)
		}
		first += manyUIDs
		b.StartTimer()
	}
}

// BenchmarkRecordFetches puts 5,000 fetches of known messages on record.
func BenchmarkRecordFetches(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	v := f.visitIMAP("alice")
	for b.Loop() {
		r := FolderRecord{At: f.clock.pass(time.Second)}
		for _, uid := range uidRange(1, manyUIDs) {
			r.Fetches = append(r.Fetches, FolderFetch{UID: uid, Size: 1000, At: r.At, Fingerprint: &message.Fingerprint{byte(uid), byte(uid >> 8)}})
		}
		if _, err := f.RecordFolder(b.Context(), v, inbox, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookupFolder reads what is known of 5,000 messages among 20,000.
func BenchmarkLookupFolder(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	r := FolderRecord{At: f.clock.Now()}
	for _, uid := range uidRange(1, 4*manyUIDs) {
		r.Fetches = append(r.Fetches, FolderFetch{UID: uid, Size: 1000, At: r.At, Fingerprint: &message.Fingerprint{byte(uid), byte(uid >> 8)}})
	}
	if _, err := f.RecordFolder(b.Context(), f.visitIMAP("alice"), inbox, r); err != nil {
		b.Fatal(err)
	}
	list := uidRange(100, manyUIDs)
	for b.Loop() {
		found, err := f.LookupFolder(b.Context(), box, inbox, list)
		if err != nil || len(found) != manyUIDs {
			b.Fatal(len(found), err)
		}
	}
}

// BenchmarkOpenFolder opens a folder of 20,000 known messages.
func BenchmarkOpenFolder(b *testing.B) {
	f := newFixture(b)
	crowd(f)
	v := f.visitIMAP("alice")
	r := FolderRecord{At: f.clock.Now()}
	for _, uid := range uidRange(1, 4*manyUIDs) {
		r.Fetches = append(r.Fetches, FolderFetch{UID: uid, Size: 1000, At: r.At})
	}
	if _, err := f.RecordFolder(b.Context(), v, inbox, r); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.OpenFolder(b.Context(), v, inbox); err != nil {
			b.Fatal(err)
		}
	}
}
