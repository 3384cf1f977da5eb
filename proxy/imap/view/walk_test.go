package view

import (
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

// TestWalk: whatever is looked up, in whatever order, a walk says what the view
// says.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hidden []Place
		at := Place{}
		for range rapid.IntRange(0, 30).Draw(t, "hidden") {
			at.Seq += UpstreamSeq(rapid.IntRange(1, 3).Draw(t, "distance"))
			at.UID = max(at.UID+1, imap.UID(at.Seq)*2)
			hidden = append(hidden, at)
		}
		v, err := Open(uint32(at.Seq)+3, hidden)
		if err != nil {
			t.Fatal(err)
		}
		w := v.Walk()
		for _, n := range rapid.SliceOf(rapid.Uint32Range(0, uint32(at.UID)+5)).Draw(t, "looked up") {
			n1, sees1 := v.ToClient(UpstreamSeq(n))
			if n2, sees2 := w.ToClient(UpstreamSeq(n)); n1 != n2 || sees1 != sees2 {
				t.Fatalf("number %d is %d, %t; the walk says %d, %t", n, n1, sees1, n2, sees2)
			}
			if hides := w.Hides(imap.UID(n)); hides != v.Hides(imap.UID(n)) {
				t.Fatalf("UID %d: the walk says %t", n, hides)
			}
		}
	})
}

// BenchmarkWalk is one look-up of many in ascending order.
func BenchmarkWalk(b *testing.B) {
	var hidden []Place
	for n := range uint32(10_000) {
		hidden = append(hidden, Place{UpstreamSeq(10*n + 5), imap.UID(10*n + 5)})
	}
	v, err := Open(100_000, hidden)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("walk", func(b *testing.B) {
		w := v.Walk()
		for i := range b.N {
			w.ToClient(UpstreamSeq(1 + i%100_000))
		}
	})
	b.Run("view", func(b *testing.B) {
		for i := range b.N {
			v.ToClient(UpstreamSeq(1 + i%100_000))
		}
	})
}
