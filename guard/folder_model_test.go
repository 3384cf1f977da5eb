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
	"mailguard/policy"
)

// folderModel is a folder as it lies upstream, with what members were told of
// it, and their sessions. Guard and ledger are held against it.
type folderModel struct {
	*rapid.T
	modelViews

	s        *scene
	there    map[message.UID]bool
	okay     map[message.UID]bool // policy lets it go
	pinned   map[message.UID]bool
	marks    map[member.Name]map[message.UID]bool
	claims   map[message.UID]modelClaim // begun, and nobody has looked since
	removed  map[message.UID]bool       // by a session, not past the guard
	sessions []*modelFolder
}

type modelClaim struct {
	by *modelFolder
	at time.Time
}

// modelFolder is a session, with what its client believes.
type modelFolder struct {
	*Folder

	who    member.Name
	shown  map[message.UID]bool // as marked
	remove []message.UID        // it may still send the removal of these
	gone   map[message.UID]bool // it was told so
}

const uidsOfModel = 6

func newFolderModel(s *scene, defers bool) *folderModel {
	m := &folderModel{
		modelViews: newModelViews(defers),
		s:          s, there: make(map[message.UID]bool), okay: make(map[message.UID]bool), pinned: make(map[message.UID]bool),
		claims: make(map[message.UID]modelClaim), removed: make(map[message.UID]bool),
		marks: map[member.Name]map[message.UID]bool{"alice": {}, "bob": {}, "": {}},
	}
	for uid := message.UID(1); uid <= uidsOfModel; uid++ {
		m.there[uid], m.okay[uid] = true, uid%3 != 0
	}
	return m
}

func (m *folderModel) session() *modelFolder {
	if len(m.sessions) == 0 {
		m.T.Skip("there is none")
	}
	return m.sessions[rapid.IntRange(0, len(m.sessions)-1).Draw(m.T, "session")]
}

func (m *folderModel) uids(what string) []message.UID {
	return rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(1, uidsOfModel), func(n int) message.UID { return message.UID(n) }),
		0, 4, rapid.ID).Draw(m.T, what)
}

// stale reports whether a removal can no longer be under way.
func (m *folderModel) stale(c modelClaim) bool { return m.s.clock.Now().Sub(c.at) > 15*time.Minute }

// divide says of messages which are there.
func (m *folderModel) divide(list []message.UID) (gone, there []message.UID) {
	for _, uid := range list {
		if m.there[uid] {
			there = append(there, uid)
		} else {
			gone = append(gone, uid)
		}
	}
	return gone, there
}

// The actions, by name.

func (m *folderModel) open() {
	if len(m.sessions) >= 5 {
		m.T.Skip("enough")
	}
	m.enter(rapid.SampledFrom([]member.Name{"alice", "bob", "", "alice"}).Draw(m.T, "member"))
}

func (m *folderModel) enter(who member.Name) *modelFolder {
	f, err := m.s.OpenFolder(m.s.t.Context(), imapVisitor(m.s.box, who), Protect, inbox, nil)
	if err != nil {
		m.T.Fatal(err)
	}
	s := &modelFolder{Folder: f, who: who, shown: maps.Clone(m.marks[who]), gone: maps.Clone(m.hidden[who])}
	m.sessions = append(m.sessions, s)
	want := slices.Sorted(maps.Keys(m.claims))
	want = after(want, slices.Collect(maps.Keys(m.undone[who])), nil)
	if got := f.Unsettled(); !slices.Equal(got, want) {
		m.T.Fatalf("unsettled %v, want %v", got, want)
	}
	return s
}

// look is what a session does after SELECT: it settles what it can.
func (m *folderModel) look() { m.settleAll(m.session()) }

func (m *folderModel) settleAll(s *modelFolder) {
	gone, there := m.divide(slices.Concat(s.Unsettled(), s.Marks(), s.Hidden()))
	m.settle(s, gone, there)
}

func (m *folderModel) settle(s *modelFolder, gone, there []message.UID) {
	if err := s.Settle(m.s.t.Context(), gone, there); err != nil {
		m.T.Fatal(err)
	}
	m.looked(s, gone, there)
	for _, uid := range gone {
		delete(m.claims, uid)
		m.settled[uid] = true
		for who, marks := range m.marks {
			delete(marks, uid)
			delete(m.hidden[who], uid)
		}
	}
	for _, uid := range there {
		if c, claimed := m.claims[uid]; claimed && (c.by == s || m.stale(c)) {
			delete(m.claims, uid)
			s.remove = slices.DeleteFunc(s.remove, func(u message.UID) bool { return u == uid }) // it has settled its own
		}
	}
}

// leave is a connection that is lost: what was sent may be carried out or not.
func (m *folderModel) leave() {
	s := m.session()
	m.carry(s)
	s.Close()
	m.sessions = slices.DeleteFunc(m.sessions, func(other *modelFolder) bool { return other == s })
}

// carry does upstream what a session may do, or only a part of it.
func (m *folderModel) carry(s *modelFolder) {
	for _, uid := range s.remove {
		if m.there[uid] && rapid.Bool().Draw(m.T, "carried out") {
			if m.removed[uid] = true; m.pinned[uid] || !m.okay[uid] {
				m.T.Fatalf("%d is removed, which may not be", uid)
			}
			delete(m.there, uid)
		}
	}
	s.remove = nil
}

func (m *folderModel) mark() {
	s := m.session()
	add, remove := m.uids("add"), m.uids("remove")
	m.s.mark(s.Folder, add, remove)
	for _, uid := range add {
		m.marks[s.who][uid], s.shown[uid] = true, true
	}
	for _, uid := range remove {
		delete(m.marks[s.who], uid)
		delete(s.shown, uid)
	}
}

// expunge decides about the member's marks and commits; what it may remove
// must be what the model says.
func (m *folderModel) expunge() {
	s := m.session()
	_, there := m.divide(s.Marks())
	var seen []message.Seen
	var want []message.UID
	for _, uid := range there {
		var flags []string
		if m.okay[uid] {
			flags = []string{okay}
		}
		seen = append(seen, message.Seen{UID: uid, Flags: flags})
		c, claimed := m.claims[uid]
		switch {
		case m.on && !m.okay[uid] && !m.pinned[uid]:
			m.hide(s, uid, m.copiedLately(s.who, uid))
		case !m.okay[uid] || m.pinned[uid]:
			delete(m.marks[s.who], uid)
			delete(s.shown, uid)
			if claimed && m.stale(c) {
				delete(m.claims, uid) // it was seen
			}
		case !claimed || m.stale(c):
			want = append(want, uid)
		}
	}
	remove := m.s.commit(s.Folder, m.s.decide(s.Folder, expunge, seen...))
	if !slices.Equal(remove, want) {
		m.T.Fatalf("may remove %v, want %v", remove, want)
	}
	for _, uid := range remove {
		m.claims[uid] = modelClaim{s, m.s.clock.Now()}
		delete(m.undone[s.who], uid) // it was seen
	}
	s.remove = append(s.remove, remove...)
}

// carryOut sends a removal and looks what became of it.
func (m *folderModel) carryOut() {
	s := m.session()
	sent := s.remove
	m.carry(s)
	gone, there := m.divide(sent)
	m.settle(s, gone, there)
}

// vanish is a deletion in webmail.
func (m *folderModel) vanish() {
	for _, uid := range m.uids("vanish") {
		if _, claimed := m.claims[uid]; !claimed {
			delete(m.there, uid)
		}
	}
}

// pin pins or unpins what the ledger knows and nobody is removing.
func (m *folderModel) pin() {
	for _, uid := range m.uids("pin") {
		where := fmt.Sprintf("uid = %d AND mailbox_id = (SELECT id FROM mailboxes WHERE name = '%s')", uid, m.s.box)
		if _, claimed := m.claims[uid]; claimed || m.s.sql(m.s.path, "SELECT count(*) FROM messages WHERE "+where) == 0 {
			continue
		}
		m.pinned[uid] = m.s.sql(m.s.path, "UPDATE messages SET pinned = 1 - pinned WHERE "+where+" RETURNING pinned") == 1
	}
}

// pass lets a moment pass, or so much time that no session removes any more
// what it once might.
func (m *folderModel) pass() {
	m.s.clock.pass(time.Second)
	if rapid.IntRange(0, 3).Draw(m.T, "long") == 0 {
		m.s.clock.pass(20 * time.Minute)
		for _, s := range m.sessions {
			s.remove = nil
		}
	}
}

// check holds every session's marks, and what its client sees of them, against
// the model.
func (m *folderModel) check() {
	for _, s := range m.sessions {
		if got, want := s.Marks(), slices.Sorted(maps.Keys(m.marks[s.who])); !slices.Equal(got, want) {
			m.T.Fatalf("%q has marks %v, want %v", s.who, got, want)
		}
		if rapid.Bool().Draw(m.T, "told") {
			m.tell(s)
			m.tellHidden(s)
		}
	}
}

func (m *folderModel) tell(s *modelFolder) {
	marked, unmarked := s.Changes()
	for _, uid := range marked {
		s.shown[uid] = true
	}
	for _, uid := range unmarked {
		delete(s.shown, uid)
	}
	for uid := range m.there {
		if s.shown[uid] != m.marks[s.who][uid] {
			m.T.Fatalf("the client sees %d marked: %v", uid, s.shown[uid])
		}
	}
}

// end looks once more, when nothing is under way: then nothing may be in
// doubt, and only what was removed counts as deleted.
func (m *folderModel) end() {
	m.s.clock.pass(time.Hour)
	for who := range m.marks {
		m.settleAll(m.enter(who))
	}
	for who := range m.marks {
		if again := m.enter(who); len(again.Unsettled()) != 0 {
			m.T.Fatalf("still unsettled: %v", again.Unsettled())
		}
	}
	for _, s := range m.sessions {
		s.Close()
	}
	m.sessions = nil
	m.endHidden()
	mailbox := fmt.Sprintf("m.mailbox_id = (SELECT id FROM mailboxes WHERE name = '%s')", m.s.box)
	for what, query := range map[string]string{
		"deleted and there": `SELECT count(*) FROM messages m JOIN deletions d ON d.message_id = m.id
			WHERE m.gone_how IS NOT 'allowed' AND d.hides = 0 AND ` + mailbox,
		"gone and not deleted": `SELECT count(*) FROM messages m WHERE m.gone_how = 'allowed'
			AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.message_id = m.id) AND ` + mailbox,
	} {
		if n := m.s.sql(m.s.path, query); n != 0 {
			m.T.Fatalf("%d messages are %s", n, what)
		}
	}
	for uid := range m.removed {
		if n := m.s.sql(m.s.path, fmt.Sprintf("SELECT count(*) FROM messages m WHERE uid = %d AND gone_how = 'allowed' AND %s", uid, mailbox)); n != 1 {
			m.T.Fatalf("%d was removed, and is not on record as that", uid)
		}
	}
}

func TestFoldersAgainstAModel(t *testing.T) { runFolderModel(t, newScene(t, ifOkay()...), false) }

// runFolderModel plays histories. defers says that what may not go is deferred, and
// not refused.
func runFolderModel(t *testing.T, s *scene, defers bool) {
	t.Helper()
	boxes := 0
	rapid.Check(t, func(t *rapid.T) {
		boxes++
		s.box = member.Mailbox(fmt.Sprintf("shared%d@example.com", boxes))
		m := newFolderModel(s, defers)
		do := func(action func(*folderModel)) func(*rapid.T) {
			return func(t *rapid.T) { m.T = t; action(m) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": do((*folderModel).open), "look": do((*folderModel).look), "leave": do((*folderModel).leave),
			"mark": do((*folderModel).mark), "mark more": do((*folderModel).mark), "expunge": do((*folderModel).expunge),
			"carry out": do((*folderModel).carryOut), "vanish": do((*folderModel).vanish), "pin": do((*folderModel).pin),
			"pass": do((*folderModel).pass), "move away": do((*folderModel).moveAway), "move back": do((*folderModel).moveBack),
			"": do((*folderModel).check),
		})
		m.T = t
		m.end()
	})
}

// BenchmarkExpunge is a folder in which 5,000 messages are marked, decided,
// committed and settled.
func BenchmarkExpunge(b *testing.B) {
	s := newScene(b, always(policy.Allow, ""))
	f := s.inbox("alice")
	first := message.UID(1)
	for b.Loop() {
		list := make([]message.UID, 5_000)
		for i := range list {
			list[i] = first + message.UID(i)
		}
		first += 5_000
		s.mark(f, list, nil)
		remove := s.commit(f, s.decide(f, expunge, looked(list)...))
		if len(remove) != len(list) {
			b.Fatal(len(remove))
		}
		s.settle(f, remove, nil)
	}
}
