package view

import (
	"slices"

	"github.com/emersion/go-imap/v2"
)

// UpstreamSeq is a message number as the upstream counts, from 1.
type UpstreamSeq uint32

// Place is where a message stands in the folder at this moment.
type Place struct {
	Seq UpstreamSeq
	UID imap.UID
}

// Marks are the messages that this member has marked \Deleted, each with its
// message number of this moment. Memory is in proportion to the marks; a look-up
// takes a binary search. The zero value has none. It belongs to one owner.
type Marks struct{ places []Place } // by number, and so by UID as well (RFC 9051, 2.3.1.1)

// Len counts the marks.
func (m *Marks) Len() int { return len(m.places) }

// Has reports whether the message with this number is marked.
func (m *Marks) Has(seq UpstreamSeq) bool {
	_, found := m.find(seq)
	return found
}

// UIDs are the marked messages, in ascending order.
func (m *Marks) UIDs() []imap.UID {
	uids := make([]imap.UID, len(m.places))
	for i, p := range m.places {
		uids[i] = p.UID
	}
	return uids
}

// Set is UIDs as a set.
func (m *Marks) Set() imap.UIDSet {
	var set imap.UIDSet
	set.AddNum(m.UIDs()...)
	return set
}

// Add marks messages. One that is marked already is counted once.
func (m *Marks) Add(places ...Place) {
	m.places = append(m.places, places...)
	slices.SortFunc(m.places, func(a, b Place) int { return int(int64(a.Seq) - int64(b.Seq)) })
	m.places = slices.CompactFunc(m.places, func(a, b Place) bool { return a.Seq == b.Seq })
}

// Remove takes marks away and returns where their messages stand. What is not
// marked is ignored.
func (m *Marks) Remove(uids ...imap.UID) []Place {
	var removed []Place
	gone := make(map[imap.UID]bool, len(uids))
	for _, u := range uids {
		gone[u] = true
	}
	m.places = slices.DeleteFunc(m.places, func(p Place) bool {
		if gone[p.UID] {
			removed = append(removed, p)
		}
		return gone[p.UID]
	})
	return removed
}

// In returns the marked messages of a set. What "*" means in a set of message
// numbers or UIDs, the last message, is the caller's to know: last is its place.
func (m *Marks) In(set imap.NumSet, last Place) (in []Place) {
	spans, number := setSpans(set, last)
	for _, p := range m.places {
		n := number(p)
		for len(spans) > 0 && spans[0].to < n {
			spans = spans[1:]
		}
		if len(spans) > 0 && spans[0].from <= n {
			in = append(in, p)
		}
	}
	return in
}

// setSpans are a set in order, with "*" as the number of the last message, and
// which number of a message is in it.
func setSpans(set imap.NumSet, last Place) (spans []span, number func(Place) uint64) {
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			spans = append(spans, spanTo(r.Start, r.Stop, uint32(last.Seq)))
		}
		return normal(spans), func(p Place) uint64 { return uint64(p.Seq) }
	case imap.UIDSet:
		for _, r := range set {
			spans = append(spans, spanTo(uint32(r.Start), uint32(r.Stop), uint32(last.UID)))
		}
	}
	return normal(spans), func(p Place) uint64 { return uint64(p.UID) }
}

// spanTo reads a range whose ends may come in either order and where 0 stands for
// the last number (RFC 9051, 9: seq-range).
func spanTo(start, stop, last uint32) span {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return span{uint64(min(start, stop)), uint64(max(start, stop))}
}

// Expunged follows the upstream's EXPUNGE: the numbers behind it move down.
func (m *Marks) Expunged(seq UpstreamSeq) {
	i, found := m.find(seq)
	if found {
		m.places = slices.Delete(m.places, i, i+1)
	}
	for ; i < len(m.places); i++ {
		m.places[i].Seq--
	}
}

func (m *Marks) find(seq UpstreamSeq) (int, bool) {
	return slices.BinarySearchFunc(m.places, seq, func(p Place, s UpstreamSeq) int { return int(int64(p.Seq) - int64(s)) })
}

// Vanished follows the upstream's VANISHED (RFC 7162, 3.2.10), which names every
// message that is gone by its UID, and none that was not there.
func (m *Marks) Vanished(set imap.UIDSet) {
	gone, lower := uidSpans(set), uint64(0)
	kept := m.places[:0]
	for _, p := range m.places {
		uid := uint64(p.UID)
		for len(gone) > 0 && gone[0].to < uid {
			lower += gone[0].size()
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0].from <= uid {
			continue
		}
		p.Seq -= UpstreamSeq(lower)
		kept = append(kept, p)
	}
	m.places = kept
}
