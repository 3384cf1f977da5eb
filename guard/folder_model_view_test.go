package guard

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailguard/member"
	"mailguard/message"
)

// modelViews is what members hide in the model's folder, and how.
type modelViews struct {
	on      bool
	hidden  map[member.Name]map[message.UID]bool      // and not known to be gone
	byMove  map[member.Name]map[message.UID]bool      // of these, what a move has hidden
	copies  map[message.UID]message.UID               // the originals of copies in the trash
	copied  map[member.Name]map[message.UID]modelCopy // that a COPY made of a message
	binned  map[member.Name]map[message.UID]bool      // copies that are hidden
	undone  map[member.Name]map[message.UID]modelCopy // by the original, which nobody has seen since
	settled map[message.UID]bool                      // known to be gone
}

// modelCopy is a copy, with when it was made or moved back.
type modelCopy struct {
	uid message.UID
	at  time.Time
}

func newModelViews(on bool) modelViews {
	return modelViews{
		on: on, hidden: ofEach[bool](), byMove: ofEach[bool](), copies: make(map[message.UID]message.UID),
		copied: ofEach[modelCopy](), binned: ofEach[bool](), undone: ofEach[modelCopy](), settled: make(map[message.UID]bool),
	}
}

func ofEach[V any]() map[member.Name]map[message.UID]V {
	return map[member.Name]map[message.UID]V{"alice": {}, "bob": {}, "": {}}
}

// hide is what a deferral does. The client is told at once.
func (m *folderModel) hide(s *modelFolder, uid message.UID, byMove bool) {
	if !m.hidden[s.who][uid] {
		m.byMove[s.who][uid] = byMove
	}
	m.hidden[s.who][uid], s.gone[uid] = true, true
	delete(m.undone[s.who], uid)
	delete(m.marks[s.who], uid)
	delete(s.shown, uid)
	m.saw(uid)
}

// saw is what a decision does to a removal that should be over.
func (m *folderModel) saw(uid message.UID) {
	if c, claimed := m.claims[uid]; claimed && m.stale(c) {
		delete(m.claims, uid)
	}
}

// moveAway is a move to the trash of one message that the client sees, by MOVE
// or by COPY and an expunge.
func (m *folderModel) moveAway() {
	s := m.session()
	uid := rapid.SampledFrom([]message.UID{1, 2, 3, 4, 5, 6}).Draw(m.T, "moved")
	if !m.on || !m.there[uid] || m.pinned[uid] || s.gone[uid] {
		m.T.Skip("cannot be moved")
	}
	made := message.UID(100 + len(m.copies))
	m.copies[made] = uid
	if rapid.Bool().Draw(m.T, "by COPY") {
		s.Copied(uidsFrom(uid), "Trash", "trash", 3, uidsFrom(made))
		m.copied[s.who][uid] = modelCopy{made, m.s.clock.Now()}
		m.s.commit(s.Folder, m.s.decide(s.Folder, expunge, message.Seen{UID: uid}))
	} else {
		rulings := m.s.decide(s.Folder, Deletion{Op: "imap.move", Destination: "Trash"}, message.Seen{UID: uid})
		if err := s.CommitMove(m.s.t.Context(), rulings, "Trash", 3, map[message.UID]message.UID{uid: made}); err != nil {
			m.T.Fatal(err)
		}
	}
	m.hide(s, uid, true)
}

// copiedLately reports whether an expunge is a move.
func (m *folderModel) copiedLately(who member.Name, uid message.UID) bool {
	c, ok := m.copied[who][uid]
	return ok && m.s.clock.Now().Sub(c.at) <= copyCounts
}

// moveBack moves a copy back to the inbox.
func (m *folderModel) moveBack() {
	if len(m.copies) == 0 {
		m.T.Skip("there is none")
	}
	who := rapid.SampledFrom([]member.Name{"alice", "bob", ""}).Draw(m.T, "member")
	made := rapid.SampledFrom(slices.Sorted(maps.Keys(m.copies))).Draw(m.T, "copy")
	uid := m.copies[made]
	f, err := m.s.OpenFolder(m.s.t.Context(), imapVisitor(m.s.box, who), Protect, trash, nil)
	if err != nil {
		m.T.Fatal(err)
	}
	defer f.Close()
	_, claimed := m.claims[uid]
	want := m.hidden[who][uid] && m.byMove[who][uid] && !claimed && !m.settled[uid]
	back, err := f.Undo(m.s.t.Context(), m.s.decide(f, Deletion{Op: "imap.move", Destination: "INBOX"}, message.Seen{UID: made}), "INBOX", 7)
	if err != nil || (len(back) == 1) != want || want && back[made].UID != uid {
		m.T.Fatalf("%q moves %d back to %d: %v, %v; want %v", who, made, uid, back, err, want)
	}
	if want {
		delete(m.hidden[who], uid)
		m.undone[who][uid], m.binned[who][made] = modelCopy{made, m.s.clock.Now()}, true
	}
	if want && m.copied[who][uid].uid == made {
		delete(m.copied[who], uid)
	}
}

// looked is what becomes of what was undone once a session has looked.
func (m *folderModel) looked(s *modelFolder, gone, there []message.UID) {
	for who, undone := range m.undone {
		for _, uid := range gone {
			if c, ok := undone[uid]; ok {
				delete(m.binned[who], c.uid)
				delete(undone, uid)
			}
		}
		for _, uid := range there {
			if undone[uid].at.Before(s.since) {
				delete(undone, uid)
			}
		}
	}
}

// tellHidden tells a client what it still sees and its member has hidden.
func (m *folderModel) tellHidden(s *modelFolder) {
	for _, uid := range s.Hides() {
		if s.gone[uid] || !m.hidden[s.who][uid] {
			m.T.Fatalf("the client of %q is told that %d is gone, which it knows or is not so", s.who, uid)
		}
		s.gone[uid] = true
	}
	hidden := s.Hidden()
	for uid := range m.there {
		if m.hidden[s.who][uid] && !s.gone[uid] || slices.Contains(hidden, uid) != s.gone[uid] {
			m.T.Fatalf("%d is hidden from %q: %v; the client was told %v, the session has %v", uid, s.who, m.hidden[s.who][uid], s.gone[uid], hidden)
		}
	}
}

// endHidden holds what is held in the end, and for whom, against the model.
func (m *folderModel) endHidden() {
	held := make(map[message.UID]bool)
	for who, hidden := range m.hidden {
		f, err := m.s.OpenFolder(m.s.t.Context(), imapVisitor(m.s.box, who), Protect, inbox, nil)
		if err != nil {
			m.T.Fatal(err)
		}
		if got, want := f.Hidden(), slices.Sorted(maps.Keys(hidden)); !slices.Equal(got, want) {
			m.T.Fatalf("in the end %v are hidden from %q, want %v", got, who, want)
		}
		f.Close()
		maps.Copy(held, hidden)
		m.endBinned(who)
	}
	n := m.s.sql(m.s.path, fmt.Sprintf(`SELECT count(*) FROM messages WHERE held_since IS NOT NULL AND gone_at IS NULL AND folder = 'INBOX'
		AND mailbox_id = (SELECT id FROM mailboxes WHERE name = '%s')`, m.s.box))
	if int(n) != len(held) {
		m.T.Fatalf("%d messages are held, want %d", n, len(held))
	}
}

// endBinned holds which copies are hidden in the end against the model.
func (m *folderModel) endBinned(who member.Name) {
	f, err := m.s.OpenFolder(m.s.t.Context(), imapVisitor(m.s.box, who), Protect, trash, nil)
	if err != nil {
		m.T.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Hidden(), slices.Sorted(maps.Keys(m.binned[who])); !slices.Equal(got, want) {
		m.T.Fatalf("in the end the copies %v are hidden from %q, want %v", got, who, want)
	}
}

func TestViewsAgainstAModel(t *testing.T) { runFolderModel(t, newScene(t, ifOkayElseDefer()...), true) }
