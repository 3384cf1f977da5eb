package ledger

import (
	"fmt"
	"testing"
	"time"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

const manyMessages = 20_000

// bigMaildrop is a maildrop that the ledger knows, with a history behind it.
func bigMaildrop(b *testing.B, messages, gone int) (*fixture, []message.Listed) {
	b.Helper()
	f := newFixture(b)
	listing := make([]message.Listed, messages+gone)
	for i := range listing {
		listing[i] = mail(fmt.Sprintf("0000%06x69b1f2a3", i), int64(1000+i%7))
	}
	s := f.enter("alice", listing...)
	var fetches []Fetch
	for _, id := range s.IDs {
		fetches = append(fetches, Fetch{Message: id, At: f.clock.Now(), Fingerprint: &message.Fingerprint{byte(id), byte(id >> 8), byte(id >> 16)}})
	}
	s.record(Record{Fetches: fetches, Decisions: decisions(policy.Deferred, s.IDs[messages:]...)})
	f.clock.pass(time.Hour)
	f.enter("bob", listing[:messages]...)
	f.clock.pass(comesBack + time.Hour)
	return f, listing[:messages]
}

func BenchmarkOpenMaildrop(b *testing.B) {
	for _, gone := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("known=%d/gone=%d", manyMessages, gone), func(b *testing.B) {
			f, listing := bigMaildrop(b, manyMessages, gone)
			for b.Loop() {
				f.enter("alice", listing...)
			}
		})
	}
}

// BenchmarkFirstOpen is a mailbox that the guard sees for the first time.
func BenchmarkFirstOpen(b *testing.B) {
	f, listing := bigMaildrop(b, manyMessages, 0)
	n := 0
	for b.Loop() {
		n++
		v := f.visit("alice")
		v.Mailbox = member.Mailbox(fmt.Sprintf("box%d@example.com", n))
		f.open(v, listing...)
	}
}

func BenchmarkRecordOneDeletion(b *testing.B) {
	f, listing := bigMaildrop(b, manyMessages, 0)
	s := f.enter("alice", listing...)
	i := 0
	for b.Loop() {
		s.dele(policy.Deferred, s.IDs[i%len(s.IDs)])
		i++
	}
}

// BenchmarkRecordLeftAlone is the end of every session that fetches nothing.
func BenchmarkRecordLeftAlone(b *testing.B) {
	f, listing := bigMaildrop(b, manyMessages, 0)
	for b.Loop() {
		s := f.enter("alice", listing...)
		s.leave(s.IDs...)
	}
}

// BenchmarkFacts is what one DELE asks the ledger.
func BenchmarkFacts(b *testing.B) {
	f, listing := bigMaildrop(b, manyMessages, 0)
	s := f.enter("alice", listing...)
	i := 0
	for b.Loop() {
		i++
		if _, err := f.Everyone(b.Context(), box); err != nil {
			b.Fatal(err)
		}
		if h, err := f.Lookup(b.Context(), box, s.IDs[i%len(s.IDs)]); err != nil || h == nil {
			b.Fatal(err)
		}
	}
}
