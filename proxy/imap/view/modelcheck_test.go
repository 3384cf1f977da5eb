package view

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// check holds the view, and the client's picture, to the list.
func (m *model) check() {
	m.checkNumbers()
	m.checkCounts()
	seqs, uids := m.someSeqSet(), m.someUIDSet()
	m.checkSeqSet(seqs)
	m.checkUIDSet(uids)
}

func (m *model) checkCounts() {
	var waiting, gone int
	var uids []imap.UID
	for _, one := range m.messages {
		switch one.state {
		case pending:
			waiting++
		case hidden:
			gone++
			uids = append(uids, one.uid)
		}
		if m.view.Hides(one.uid) != (one.state == hidden) {
			m.t.Fatalf("hides UID %d: %v", one.uid, m.view.Hides(one.uid))
		}
	}
	if m.view.Pending() != waiting || m.view.Len() != gone || int(m.view.Count()) != len(m.client) {
		m.t.Fatalf("%d pending, %d hidden, %d counted; want %d, %d, %d", m.view.Pending(), m.view.Len(), m.view.Count(), waiting, gone, len(m.client))
	}
	if got := m.upstreamNames(m.view.Hidden()); !slices.Equal(got, uids) {
		m.t.Fatalf("hidden %v name %v, want %v", m.view.Hidden(), got, uids)
	}
}

// checkNumbers reads every message that the client counts, as a FETCH of all
// UIDs would, and holds the client's picture to it.
func (m *model) checkNumbers() {
	places := m.inView()
	if len(places) != len(m.client) {
		m.t.Fatalf("the client has %d messages, want %d", len(m.client), len(places))
	}
	var numbers []ClientSeq
	for i, one := range m.messages {
		seq := UpstreamSeq(i + 1)
		n, ok := m.view.ToClient(seq)
		if ok != (one.state != hidden) {
			m.t.Fatalf("message %d, %v: to the client %v", seq, one, ok)
		}
		if ok {
			numbers = append(numbers, n)
		}
	}
	for i, p := range places {
		n := ClientSeq(i + 1)
		if i >= len(numbers) || numbers[i] != n {
			m.t.Fatalf("numbers %v, want 1 to %d", numbers, len(places))
		}
		if seq, ok := m.view.ToUpstream(n); !ok || seq != p.Seq {
			m.t.Fatalf("the client's %d is %d, %v; want %d", n, seq, ok, p.Seq)
		}
		if m.client[i] != 0 && m.client[i] != p.UID {
			m.t.Fatalf("the client has UID %d as %d, it is UID %d", m.client[i], n, p.UID)
		}
		m.client[i] = p.UID
	}
	_, none := m.view.ToUpstream(0)
	_, beyond := m.view.ToUpstream(ClientSeq(len(places) + 1))
	_, zero := m.view.ToClient(0)
	if none || beyond || zero {
		m.t.Fatalf("numbers that nobody counts are translated")
	}
}

func (m *model) someSeqSet() imap.SeqSet {
	var set imap.SeqSet
	for range 1 + m.pick(4) {
		// 0 is "*"; some are beyond the view
		set = append(set, imap.SeqRange{Start: uint32(m.pick(len(m.client) + 2)), Stop: uint32(m.pick(len(m.client) + 2))})
	}
	return set
}

func (m *model) someUIDSet() imap.UIDSet {
	var set imap.UIDSet
	for range 1 + m.pick(4) {
		set = append(set, imap.UIDRange{Start: imap.UID(m.pick(int(m.next) + 2)), Stop: imap.UID(m.pick(int(m.next) + 2))})
	}
	return set
}

func (m *model) checkSeqSet(set imap.SeqSet) {
	want, ok := m.clientNames(set)
	got, err := m.view.SetToUpstream(set)
	search := m.view.SearchSetToUpstream(set)
	if m.view.Len() == 0 {
		if err != nil || !slices.Equal(got, set) || !slices.Equal(search, set) {
			m.t.Fatalf("%v became %v, %v, and %v, with nothing hidden", set, got, err, search)
		}
		return
	}
	if !ok && !errors.Is(err, ErrNoSuchMessage) || ok && (err != nil || !slices.Equal(got, inRows(want))) {
		m.t.Fatalf("%v became %v, %v; want %v, %v", set, got, err, inRows(want), ok)
	}
	var found []uint32
	for _, p := range m.inView() {
		if search.Contains(uint32(p.Seq)) {
			found = append(found, uint32(p.Seq))
		}
	}
	if !slices.Equal(found, want) || len(search) > len(set) {
		m.t.Fatalf("search %v became %v, which finds %v of the view; want %v", set, search, found, want)
	}
}

// clientNames are the upstream's numbers of what a set of the client's names,
// and whether a server takes the set.
func (m *model) clientNames(set imap.SeqSet) (seqs []uint32, ok bool) {
	places := m.inView()
	count := uint32(len(places))
	ok = count > 0
	named := make([]bool, count+1)
	for _, r := range set {
		low, high := min(r.Start, r.Stop), max(r.Start, r.Stop)
		switch {
		case high == 0: // "*"
			low, high = count, count
		case low == 0: // "n:*"
			ok = ok && high <= count
			low, high = high, count
		}
		ok = ok && high <= count
		for n := max(low, 1); n <= min(high, count); n++ {
			named[n] = true
		}
	}
	for i, p := range places {
		if named[i+1] {
			seqs = append(seqs, uint32(p.Seq))
		}
	}
	return seqs, ok
}

// inRows are numbers in order as a set: the shortest that there is.
func inRows(seqs []uint32) imap.SeqSet {
	var set imap.SeqSet
	for _, n := range seqs {
		if k := len(set); k > 0 && set[k-1].Stop+1 == n {
			set[k-1].Stop = n
		} else {
			set = append(set, imap.SeqRange{Start: n, Stop: n})
		}
	}
	return set
}

func (m *model) checkUIDSet(set imap.UIDSet) {
	got := m.checkNamedUIDs(set)
	known := m.view.last
	m.view.last = Place{}
	if again := m.checkNamedUIDs(set); !slices.Equal(got, again) {
		m.t.Fatalf("%v became %v, and %v when the last UID was asked for", set, got, again)
	}
	m.view.last = known
	if m.view.Len() > 0 {
		m.checkNormal(set, got)
	}
}

// checkNamedUIDs holds a set that goes upstream to naming what the client means.
func (m *model) checkNamedUIDs(set imap.UIDSet) imap.UIDSet {
	got, err := m.view.UIDsToUpstream(set)
	if errors.Is(err, ErrLastUnknown) {
		m.learn()
		got, err = m.view.UIDsToUpstream(set)
	}
	if err != nil {
		m.t.Fatalf("%v: %v", set, err)
	}
	if m.view.Len() == 0 && !slices.Equal(got, set) {
		m.t.Fatalf("%v became %v with nothing hidden", set, got)
	}
	var want []imap.UID
	places := m.inView()
	for _, p := range places {
		if hasUID(set, p.UID, places[len(places)-1].UID) {
			want = append(want, p.UID)
		}
	}
	if names := m.upstreamNames(got); !slices.Equal(names, want) {
		m.t.Fatalf("%v became %v, which names %v, want %v", set, got, names, want)
	}
	return got
}

func hasUID(set imap.UIDSet, uid, last imap.UID) bool {
	return slices.ContainsFunc(set, func(r imap.UIDRange) bool {
		return within(uint32(uid), uint32(r.Start), uint32(r.Stop), uint32(last))
	})
}

// learn is asked for only where nothing else tells which UID is last.
func (m *model) learn() {
	places := m.inView()
	if len(places) == 0 {
		m.t.Fatalf("the last UID is asked for, with %d in view of %v", len(places), m.messages)
	}
	last := places[len(places)-1]
	if p := m.view.Last(); p.Seq != last.Seq || p.UID != 0 {
		m.t.Fatalf("%v is asked for, the last is %v", p, last)
	}
	if err := m.view.Learn(last); err != nil {
		m.t.Fatalf("learn %v: %v", last, err)
	}
}

// upstreamNames are the messages that the upstream takes a set to name.
func (m *model) upstreamNames(set imap.UIDSet) []imap.UID {
	var names []imap.UID
	for _, one := range m.messages {
		if hasUID(set, one.uid, m.messages[len(m.messages)-1].uid) {
			names = append(names, one.uid)
		}
	}
	return names
}

// checkNormal holds a result to its form: in order, without overlaps and ranges
// that touch, no longer than the client's set cut at each hidden message. A
// message that is about to arrive is in it if the client meant it.
func (m *model) checkNormal(set, got imap.UIDSet) {
	for i, r := range got {
		if i > 0 && (r.Start != 0 && r.Start <= got[i-1].Stop+1 || got[i-1].Stop == 0) || r.Stop != 0 && r.Start > r.Stop {
			m.t.Fatalf("%v became %v", set, got)
		}
	}
	if len(got) > len(set)+m.view.Len()+1 { // one for the last message
		m.t.Fatalf("%v became %v, with %d hidden", set, got, m.view.Len())
	}
	meant := slices.ContainsFunc(set, func(r imap.UIDRange) bool {
		low, high := min(r.Start, r.Stop), max(r.Start, r.Stop)
		return low == 0 && high > 0 && high <= m.next || low > 0 && low <= m.next && m.next <= high
	})
	if got.Contains(m.next) != meant {
		m.t.Fatalf("%v became %v; a message with UID %d that arrives: %v, want %v", set, got, m.next, !meant, meant)
	}
}

// within reports whether n is in a range whose ends may come in either order and
// where 0 stands for the last number.
func within(n, start, stop, last uint32) bool {
	if start == 0 {
		start = last
	}
	if stop == 0 {
		stop = last
	}
	return min(start, stop) <= n && n <= max(start, stop)
}
