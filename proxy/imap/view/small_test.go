package view

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

// layouts are the UIDs of small folders.
var layouts = map[string][]imap.UID{
	"no gaps":   {1, 2, 3, 4, 5, 6},
	"every gap": {2, 4, 6, 8, 10, 12},
	"some gaps": {1, 2, 5, 6, 9, 10},
	"high":      {1<<32 - 7, 1<<32 - 6, 1<<32 - 5, 1<<32 - 4, 1<<32 - 3, 1<<32 - 2}, // no server gives more away: UIDNEXT is higher
}

// folderOf is a folder with messages in these states.
func folderOf(t rapid.TB, uids []imap.UID, states []state) *model {
	m := &model{t: t, next: uids[len(uids)-1] + 1}
	var gone, waiting []Place
	for i, s := range states {
		m.messages = append(m.messages, message{uids[i], s})
		switch s {
		case hidden:
			gone = append(gone, m.place(i))
		case pending:
			waiting = append(waiting, m.place(i))
		}
	}
	v, err := Open(uint32(len(states)), gone)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if err := v.Hide(waiting...); err != nil {
		t.Fatalf("hide: %v", err)
	}
	m.view = v
	m.tellExists(v.Count())
	m.checkNumbers()
	m.checkCounts()
	return m
}

// all are the states that a message can be in.
var all = []state{counted, hidden, pending}

// everyState calls f with every way in which n messages can be in these states.
func everyState(n int, states []state, f func([]state)) {
	if n == 0 {
		f(nil)
		return
	}
	everyState(n-1, states, func(others []state) {
		for _, s := range states {
			f(append(slices.Clip(others), s))
		}
	})
}

// every hands out all ranges between numbers up to n, where 0 is "*".
func every(n uint32, f func(start, stop uint32)) {
	for start := range n + 1 {
		for stop := range n + 1 {
			f(start, stop)
		}
	}
}

// Every folder of up to six messages, each of which is hidden or not, and in one
// of up to five pending perhaps: every range of numbers and UIDs.
func TestEveryRange(t *testing.T) {
	for name, uids := range layouts {
		t.Run(name, func(t *testing.T) {
			for n := 1; n <= 6; n++ {
				states := all
				if n == 6 {
					states = []state{counted, hidden}
				}
				everyState(n, states, func(states []state) {
					m := folderOf(t, uids[:n], states)
					every(uint32(n)+2, func(start, stop uint32) {
						set := imap.SeqSet{{Start: start, Stop: stop}}
						m.checkSeqSet(set)
						if low := uint32(uids[0]) - 1; low < 3 {
							m.checkUIDSet(imap.UIDSet{{Start: imap.UID(start), Stop: imap.UID(stop)}})
							m.checkUIDSet(imap.UIDSet{{Start: imap.UID(start * 2), Stop: imap.UID(stop)}})
						} else {
							m.checkHigh(low, start, stop)
						}
					})
				})
			}
		})
	}
}

// checkHigh is checkUIDSet where UIDs end: 0 stays "*".
func (m *model) checkHigh(low, start, stop uint32) {
	if start != 0 {
		start += min(low, 1<<32-1-start)
	}
	if stop != 0 {
		stop += min(low, 1<<32-1-stop)
	}
	m.checkNamedUIDs(imap.UIDSet{{Start: imap.UID(start), Stop: imap.UID(stop)}})
}

// Every set of two ranges, of every folder of up to three messages.
func TestEveryPairOfRanges(t *testing.T) {
	for n := 1; n <= 3; n++ {
		everyState(n, all, func(states []state) {
			m := folderOf(t, layouts["every gap"][:n], states)
			every(uint32(n)+1, func(a, b uint32) {
				every(uint32(n)+1, func(c, d uint32) {
					m.checkSeqSet(imap.SeqSet{{Start: a, Stop: b}, {Start: c, Stop: d}})
				})
			})
			every(uint32(2*n)+1, func(a, b uint32) {
				every(uint32(2*n)+1, func(c, d uint32) {
					m.checkUIDSet(imap.UIDSet{{Start: imap.UID(a), Stop: imap.UID(b)}, {Start: imap.UID(c), Stop: imap.UID(d)}})
				})
			})
		})
	}
}

// Every folder of up to five messages, and every two EXPUNGEs in it, with and
// without a report between them.
func TestEveryExpunge(t *testing.T) {
	for n := 1; n <= 5; n++ {
		everyState(n, all, func(states []state) {
			for first := range n {
				for second := range max(n-1, 1) {
					for _, reported := range []bool{false, true} {
						picks := []int{first, second}
						m := folderOf(t, layouts["some gaps"], states)
						m.pick = func(int) int { k := picks[0]; picks = picks[1:]; return k }
						m.expunged()
						m.checkNumbers()
						if reported {
							m.report()
							m.checkNumbers()
						}
						m.expunged()
						m.report()
						m.checkNumbers()
						m.checkCounts()
					}
				}
			}
		})
	}
}
