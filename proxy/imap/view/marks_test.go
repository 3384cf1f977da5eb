package view

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

// folderModel is a folder as a list: the plainest way to know where a message
// stands and whether it is marked.
type folderModel struct {
	uids   []imap.UID
	marked map[imap.UID]bool
	marks  Marks
}

func newFolderModel(t *rapid.T) *folderModel {
	m := &folderModel{marked: make(map[imap.UID]bool)}
	uid := imap.UID(0)
	for range rapid.IntRange(0, 30).Draw(t, "messages") {
		uid += imap.UID(rapid.IntRange(1, 4).Draw(t, "gap"))
		m.uids = append(m.uids, uid)
	}
	return m
}

// some draws places of messages, in any order, some of them twice.
func (m *folderModel) some(t *rapid.T) (places []Place) {
	if len(m.uids) == 0 {
		return nil
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(m.uids)-1), 0, 6).Draw(t, "places") {
		places = append(places, Place{UpstreamSeq(i + 1), m.uids[i]})
	}
	return places
}

func (m *folderModel) mark(t *rapid.T) {
	places := m.some(t)
	m.marks.Add(places...)
	for _, p := range places {
		m.marked[p.UID] = true
	}
}

func (m *folderModel) unmark(t *rapid.T) {
	uids := rapid.SliceOfN(rapid.Map(rapid.IntRange(1, 120), func(n int) imap.UID { return imap.UID(n) }), 0, 6).Draw(t, "uids")
	var want []Place
	for _, p := range m.places() {
		if slices.Contains(uids, p.UID) {
			want = append(want, p)
			delete(m.marked, p.UID)
		}
	}
	if got := m.marks.Remove(uids...); !slices.Equal(got, want) {
		t.Fatalf("removed %v, want %v", got, want)
	}
}

func (m *folderModel) expunge(t *rapid.T) {
	if len(m.uids) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.uids)-1).Draw(t, "expunged")
	m.marks.Expunged(UpstreamSeq(i + 1))
	delete(m.marked, m.uids[i])
	m.uids = slices.Delete(m.uids, i, i+1)
}

func (m *folderModel) vanish(t *rapid.T) {
	var set imap.UIDSet
	for _, p := range m.some(t) {
		set.AddNum(p.UID)
	}
	m.marks.Vanished(set)
	m.uids = slices.DeleteFunc(m.uids, func(u imap.UID) bool {
		gone := set.Contains(u)
		if gone {
			delete(m.marked, u)
		}
		return gone
	})
}

// places are the marked messages.
func (m *folderModel) places() (all []Place) {
	for i, u := range m.uids {
		if m.marked[u] {
			all = append(all, Place{UpstreamSeq(i + 1), u})
		}
	}
	return all
}

// look asks for the marks in a set, whose ranges may be reversed or end in "*".
func (m *folderModel) look(t *rapid.T) {
	if len(m.uids) == 0 {
		return
	}
	last := Place{UpstreamSeq(len(m.uids)), m.uids[len(m.uids)-1]}
	start, stop := rapid.Uint32Range(0, 40).Draw(t, "start"), rapid.Uint32Range(0, 40).Draw(t, "stop")
	resolve := func(n, last uint32) uint32 {
		if n == 0 {
			return last
		}
		return n
	}
	var bySeq, byUID []Place
	for _, p := range m.places() {
		for n := range uint32(130) {
			lo, hi := resolve(start, uint32(last.Seq)), resolve(stop, uint32(last.Seq))
			if uint32(p.Seq) == n && min(lo, hi) <= n && n <= max(lo, hi) {
				bySeq = append(bySeq, p)
			}
			lo, hi = resolve(start, uint32(last.UID)), resolve(stop, uint32(last.UID))
			if uint32(p.UID) == n && min(lo, hi) <= n && n <= max(lo, hi) {
				byUID = append(byUID, p)
			}
		}
	}
	if got := m.marks.In(imap.SeqSet{{Start: start, Stop: stop}}, last); !slices.Equal(got, bySeq) {
		t.Fatalf("in %d:%d %v, want %v", start, stop, got, bySeq)
	}
	if got := m.marks.In(imap.UIDSet{{Start: imap.UID(start), Stop: imap.UID(stop)}}, last); !slices.Equal(got, byUID) {
		t.Fatalf("in UID %d:%d %v, want %v", start, stop, got, byUID)
	}
}

func (m *folderModel) check(t *rapid.T) {
	want := m.places()
	uids := make([]imap.UID, len(want))
	for i, p := range want {
		uids[i] = p.UID
	}
	if got := m.marks.UIDs(); !slices.Equal(got, uids) || m.marks.Len() != len(want) {
		t.Fatalf("marked %v, want %v", got, uids)
	}
	for i, u := range m.uids {
		if m.marks.Has(UpstreamSeq(i+1)) != m.marked[u] {
			t.Fatalf("message %d is marked: %t", i+1, !m.marked[u])
		}
	}
	if set := m.marks.Set(); slices.ContainsFunc(uids, func(u imap.UID) bool { return !set.Contains(u) }) {
		t.Fatalf("the set is %v, want %v", set, uids)
	}
}

// Whatever happens in a folder, marks stay on the messages that they were made
// on.
func TestMarksFollowTheirMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newFolderModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"mark": m.mark, "unmark": m.unmark, "expunge": m.expunge, "vanish": m.vanish, "look": m.look, "": m.check,
		})
	})
}
