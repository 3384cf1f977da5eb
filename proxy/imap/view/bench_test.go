package view

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// large is a folder of 100,000 messages, of which some are hidden: every n-th.
func large(b *testing.B, hidden int) *View {
	const exists = 100_000
	var places []Place
	for i := range hidden {
		seq := UpstreamSeq(1 + i*(exists/hidden))
		places = append(places, Place{Seq: seq, UID: imap.UID(seq * 3)})
	}
	v, err := Open(exists, places)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func benchmark(b *testing.B, f func(b *testing.B, v *View)) {
	for _, hidden := range []int{0, 10, 10_000} {
		b.Run(fmt.Sprintf("hidden=%d", hidden), func(b *testing.B) {
			v := large(b, hidden)
			b.ReportAllocs()
			f(b, v)
		})
	}
}

func BenchmarkToClient(b *testing.B) {
	benchmark(b, func(b *testing.B, v *View) {
		for i := 0; b.Loop(); i++ {
			v.ToClient(UpstreamSeq(1 + i*7919%100_000))
		}
	})
}

func BenchmarkToUpstream(b *testing.B) {
	benchmark(b, func(b *testing.B, v *View) {
		for i := 0; b.Loop(); i++ {
			v.ToUpstream(ClientSeq(1 + i*7919%90_000))
		}
	})
}

func BenchmarkSetToUpstream(b *testing.B) {
	for _, text := range []string{"50000", "1:*"} {
		b.Run(text, func(b *testing.B) {
			set := seqs(text)
			benchmark(b, func(b *testing.B, v *View) {
				for b.Loop() {
					if _, err := v.SetToUpstream(set); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkUIDsToUpstream(b *testing.B) {
	for _, text := range []string{"150000", "1:*"} {
		b.Run(text, func(b *testing.B) {
			set := uids(text)
			benchmark(b, func(b *testing.B, v *View) {
				for b.Loop() {
					if _, err := v.UIDsToUpstream(set); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkExpunged is a thousand EXPUNGEs of one sweep or of none.
func BenchmarkExpunged(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, next := range map[string]func(i int) UpstreamSeq{
		"down":   func(i int) UpstreamSeq { return UpstreamSeq(100_000 - 100*i) },
		"up":     func(i int) UpstreamSeq { return UpstreamSeq(1 + 99*i) },
		"first":  func(int) UpstreamSeq { return 1 },
		"random": func(int) UpstreamSeq { return UpstreamSeq(1 + random.IntN(99_000)) },
	} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, func(b *testing.B, v *View) {
				opened := v.hidden.list
				for b.Loop() {
					b.StopTimer()
					again := View{exists: 100_000}
					again.hidden.add(opened)
					b.StartTimer()
					for i := range 1000 {
						if _, _, err := again.Expunged(next(i)); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		})
	}
}

// BenchmarkReport hides one more message.
func BenchmarkReport(b *testing.B) {
	benchmark(b, func(b *testing.B, v *View) {
		seq := UpstreamSeq(50_003)
		for b.Loop() {
			if err := v.Hide(Place{Seq: seq, UID: imap.UID(seq * 3)}); err != nil {
				b.Fatal(err)
			}
			if v.Report() == nil {
				b.Fatal("nothing to report")
			}
			i, _ := v.hidden.find(seq)
			v.hidden.list = slices.Delete(v.hidden.list, i, i+1) // only a benchmark can
			v.hidden.split = len(v.hidden.list)
		}
	})
}
