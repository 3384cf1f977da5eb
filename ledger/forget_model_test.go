package ledger

import (
	"errors"
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

// forgetModel is an inbox as it lies upstream over years, with what members did
// in it, by IMAP and by POP3. Nothing that is there may ever be forgotten.
type forgetModel struct {
	*rapid.T

	f        *fixture
	box      member.Mailbox
	validity uint32
	next     message.UID
	there    map[message.UID]*kept
	pop3     []*kept // in order
	away     []*kept // of these, what went past the guard lately
}

// kept is what must be known of a message.
type kept struct {
	uid     message.UID
	listed  message.Listed
	content byte
	known   bool // its content is on record
	hidden  map[member.Name]bool
	marked  map[member.Name]bool
	fetched map[member.Name]bool // it, or an equal message
	gone    time.Time
}

var forgetMembers = []member.Name{"alice", "bob"}

func newKept() *kept {
	return &kept{hidden: make(map[member.Name]bool), marked: make(map[member.Name]bool), fetched: make(map[member.Name]bool)}
}

func (m *forgetModel) key() FolderKey { return FolderKey{"INBOX", m.validity} }

func (m *forgetModel) visit(who member.Name, protocol member.Protocol) Visit {
	return Visit{Mailbox: m.box, Member: who, Protocol: protocol, At: m.f.clock.pass(time.Second)}
}

func (m *forgetModel) who() member.Name { return rapid.SampledFrom(forgetMembers).Draw(m.T, "member") }

func (m *forgetModel) pick() *kept {
	if len(m.there) == 0 {
		m.T.Skip("there is none")
	}
	return m.there[rapid.SampledFrom(slices.Sorted(maps.Keys(m.there))).Draw(m.T, "UID")]
}

func (m *forgetModel) record(who member.Name, r FolderRecord) {
	v := m.visit(who, member.IMAP)
	r.At = v.At
	if _, err := m.f.RecordFolder(m.f.tb.Context(), v, m.key(), r); err != nil {
		m.T.Fatal(err)
	}
}

// The actions.

func (m *forgetModel) arrive() {
	k := newKept()
	k.uid, k.content = m.next, byte(rapid.IntRange(1, 3).Draw(m.T, "content"))
	m.there[k.uid] = k
	m.next++
}

func (m *forgetModel) fetch() {
	k, who := m.pick(), m.who()
	m.record(who, FolderRecord{Fetches: []FolderFetch{{UID: k.uid, Size: 100, At: m.f.clock.Now(), Fingerprint: fingerprint(k.content)}}})
	k.known = true
	k.fetched[who] = true
	for _, e := range m.there {
		if e.known && e.content == k.content {
			e.fetched[who] = true
			maps.Copy(k.fetched, e.fetched)
		}
	}
}

func (m *forgetModel) hide() {
	k, who := m.pick(), m.who()
	d := folderDecisions(policy.Deferred, k.uid)
	m.record(who, FolderRecord{Decisions: d})
	k.hidden[who] = true
	delete(k.marked, who)
}

func (m *forgetModel) refuse() {
	m.record(m.who(), FolderRecord{Decisions: folderDecisions(policy.Refused, m.pick().uid)})
}

func (m *forgetModel) mark() {
	k, who := m.pick(), m.who()
	if err := m.f.Mark(m.f.tb.Context(), m.visit(who, member.IMAP), m.key(), []message.UID{k.uid}, nil); err != nil {
		m.T.Fatal(err)
	}
	k.marked[who] = true
}

func (m *forgetModel) vanish() { delete(m.there, m.pick().uid) }

// renumber gives the folder another life: everything is shown again.
func (m *forgetModel) renumber() {
	if rapid.IntRange(0, 2).Draw(m.T, "really") > 0 {
		m.T.Skip("rarely")
	}
	m.validity++
	m.next = 1
	old := m.there
	m.there = make(map[message.UID]*kept)
	for _, uid := range slices.Sorted(maps.Keys(old)) {
		k := newKept()
		k.uid, k.content = m.next, old[uid].content
		m.there[k.uid] = k
		m.next++
	}
}

func (m *forgetModel) sweep() {
	uids := slices.Sorted(maps.Keys(m.there))
	look := m.f.lookAt(m.next-1, uids...)
	_, err := m.f.Sweep(m.f.tb.Context(), m.box, m.key(), look)
	if err != nil {
		m.T.Fatal(err)
	}
}

// sweepInPart is a server that does not say all.
func (m *forgetModel) sweepInPart() {
	k := m.pick()
	uids := slices.DeleteFunc(slices.Sorted(maps.Keys(m.there)), func(uid message.UID) bool { return uid == k.uid })
	look := m.f.lookAt(m.next-1, uids...)
	look.Exists++
	if _, err := m.f.Sweep(m.f.tb.Context(), m.box, m.key(), look); !errors.Is(err, errImplausible) {
		m.T.Fatalf("it is taken: %v", err)
	}
}

func (m *forgetModel) pass() {
	m.f.clock.pass(time.Duration(rapid.IntRange(1, 80).Draw(m.T, "days")) * 24 * time.Hour)
}

func (m *forgetModel) forget() {
	before := m.f.clock.Now().Add(time.Duration(rapid.IntRange(-200, 200).Draw(m.T, "before")) * 24 * time.Hour)
	if _, err := m.f.Forget(m.f.tb.Context(), before); err != nil {
		m.T.Fatal(err)
	}
}

// By POP3.

func (m *forgetModel) list(who member.Name) *Maildrop {
	var listing []message.Listed
	for _, k := range m.pop3 {
		listing = append(listing, k.listed)
	}
	drop, err := m.f.OpenMaildrop(m.f.tb.Context(), m.visit(who, member.POP3), listing)
	if err != nil {
		m.T.Fatal(err)
	}
	for i, k := range m.pop3 {
		if drop.Hidden[i] != k.hidden[who] {
			m.T.Fatalf("%s is hidden from %q by POP3: %v", k.listed.UniqueID, who, drop.Hidden[i])
		}
	}
	return drop
}

func (m *forgetModel) arrivePOP3() {
	k := newKept()
	k.listed = mail(fmt.Sprint("u", m.f.clock.pass(time.Second).UnixMilli()), 100)
	m.pop3 = append(m.pop3, k)
	m.list(m.who())
}

func (m *forgetModel) delePOP3() {
	if len(m.pop3) == 0 {
		m.T.Skip("there is none")
	}
	who, i := m.who(), rapid.IntRange(0, len(m.pop3)-1).Draw(m.T, "place")
	drop := m.list(who)
	if _, err := m.f.Record(m.f.tb.Context(), m.visit(who, member.POP3), drop,
		Record{At: m.f.clock.pass(time.Second), Decisions: decisions(policy.Deferred, drop.IDs[i])}); err != nil {
		m.T.Fatal(err)
	}
	m.pop3[i].hidden[who] = true
}

func (m *forgetModel) vanishPOP3() {
	if len(m.pop3) == 0 {
		m.T.Skip("there is none")
	}
	k := m.pop3[0]
	m.pop3 = m.pop3[1:]
	m.list(m.who())
	k.gone = m.f.clock.Now()
	m.away = append(m.away, k)
}

// comeBack is a server that was restored from a backup which is not too old.
func (m *forgetModel) comeBack() {
	m.away = slices.DeleteFunc(m.away, func(k *kept) bool { return m.f.clock.Now().Sub(k.gone) > comesBack-time.Hour })
	if len(m.away) == 0 {
		m.T.Skip("there is none")
	}
	m.pop3 = append(m.pop3, m.away[0])
	m.away = m.away[1:]
	m.list(m.who())
}

// check holds what is known of what is there against the model.
func (m *forgetModel) check() {
	m.f.checkHidden()
	uids := slices.Sorted(maps.Keys(m.there))
	only := func(all []message.UID) []message.UID {
		return slices.DeleteFunc(all, func(uid message.UID) bool { return m.there[uid] == nil })
	}
	for _, who := range forgetMembers {
		opened, err := m.f.OpenFolder(m.f.tb.Context(), m.visit(who, member.IMAP), m.key())
		if err != nil {
			m.T.Fatal(err)
		}
		var hidden, marked []message.UID
		for _, uid := range uids {
			if m.there[uid].hidden[who] {
				hidden = append(hidden, uid)
			}
			if m.there[uid].marked[who] {
				marked = append(marked, uid)
			}
		}
		if got := only(opened.Hidden); !slices.Equal(got, hidden) {
			m.T.Fatalf("hidden from %q: %v, want %v", who, got, hidden)
		}
		if got := only(opened.Marks); !slices.Equal(got, marked) {
			m.T.Fatalf("marks of %q: %v, want %v", who, got, marked)
		}
		m.list(who)
	}
	m.checkRows(uids)
}

func (m *forgetModel) checkRows(uids []message.UID) {
	found, err := m.f.LookupFolder(m.f.tb.Context(), m.box, m.key(), uids)
	if err != nil {
		m.T.Fatal(err)
	}
	for _, k := range m.there {
		h := found[k.uid]
		if h == nil && len(k.hidden)+len(k.fetched) > 0 {
			m.T.Fatalf("%d has no row", k.uid)
		}
		if h == nil {
			continue
		}
		if !h.Message.Gone.IsZero() || !h.Message.HeldSince.IsZero() != (len(k.hidden) > 0) || len(h.Deletions) != len(k.hidden) {
			m.T.Fatalf("%d is hidden from %v: %+v", k.uid, k.hidden, h)
		}
		for who := range k.fetched {
			if !slices.ContainsFunc(h.Fetches, func(g Fetched) bool { return g.Member == who }) {
				m.T.Fatalf("that %q has fetched %d is forgotten", who, k.uid)
			}
		}
	}
}

// end lets everything go and be forgotten: then only the audit is left.
func (m *forgetModel) end() {
	m.there, m.pop3 = nil, nil
	m.sweep()
	m.list("alice")
	m.f.clock.pass(2 * forgetsAfter)
	m.sweep()
	for range 2 { // what an old life has is an equal of what is gone, when it is looked at first
		if _, err := m.f.Forget(m.f.tb.Context(), m.f.clock.Now()); err != nil {
			m.T.Fatal(err)
		}
	}
	mine := "mailbox_id = (SELECT id FROM mailboxes WHERE name = ?)"
	for what, query := range map[string]string{
		"messages": "SELECT count(*) FROM messages WHERE NOT EXISTS (SELECT 1 FROM decisions WHERE message_id = messages.id) AND " + mine,
		"fetches":  "SELECT count(*) FROM fetches WHERE message_id IN (SELECT id FROM messages WHERE " + mine + ")",
		"held":     "SELECT count(*) FROM messages WHERE (held_since IS NOT NULL OR gone_at IS NULL) AND " + mine,
		"deleted":  "SELECT count(*) FROM deletions WHERE message_id IN (SELECT id FROM messages WHERE " + mine + ")",
		"marks":    "SELECT count(*) FROM marks WHERE member_id IN (SELECT id FROM members WHERE " + mine + ")",
		"lives":    "SELECT max(count(*) - 1, 0) FROM folder_lives WHERE " + mine,
	} {
		if n := m.f.number(query, m.box); n != 0 {
			m.T.Fatalf("%s: %d are left", what, n)
		}
	}
}

func TestForgettingAgainstAModel(t *testing.T) {
	fewChecks(t)
	f := newFixture(t)
	boxes := 0
	rapid.Check(t, func(t *rapid.T) {
		boxes++
		m := &forgetModel{T: t, f: f, box: member.Mailbox(fmt.Sprintf("kept%d@example.com", boxes)), validity: 1, next: 1, there: make(map[message.UID]*kept)}
		do := func(action func(*forgetModel)) func(*rapid.T) {
			return func(t *rapid.T) { m.T = t; action(m) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"arrive": do((*forgetModel).arrive), "fetch": do((*forgetModel).fetch), "hide": do((*forgetModel).hide),
			"refuse": do((*forgetModel).refuse), "mark": do((*forgetModel).mark), "vanish": do((*forgetModel).vanish),
			"renumber": do((*forgetModel).renumber), "sweep": do((*forgetModel).sweep), "sweep in part": do((*forgetModel).sweepInPart),
			"pass": do((*forgetModel).pass), "forget": do((*forgetModel).forget), "forget more": do((*forgetModel).forget),
			"arrive by POP3": do((*forgetModel).arrivePOP3), "delete by POP3": do((*forgetModel).delePOP3),
			"vanish from POP3": do((*forgetModel).vanishPOP3), "come back": do((*forgetModel).comeBack),
			"": do((*forgetModel).check),
		})
		m.T = t
		m.end()
	})
}
