package view

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

// state is how far a message has left the view.
type state int

const (
	counted state = iota
	pending
	hidden
)

type message struct {
	uid   imap.UID
	state state
}

// model is a folder as a plain list of messages, beside the view of it and the
// picture that a strict client has made from what the view told, and from
// nothing else.
type model struct {
	t        rapid.TB
	view     *View
	messages []message
	next     imap.UID
	client   []imap.UID // by number; 0 where it has not read the UID yet
	pick     func(n int) int
}

// newModel opens a folder. pick chooses a number below n; it decides all that
// happens.
func newModel(t rapid.TB, pick func(n int) int) *model {
	m := &model{t: t, next: 1, pick: pick}
	var places []Place
	for range pick(12) {
		m.arrive()
		if pick(3) == 0 {
			m.messages[len(m.messages)-1].state = hidden
			places = append(places, m.place(len(m.messages)-1))
		}
	}
	if pick(2) == 0 {
		slices.Reverse(places)
	}
	v, err := Open(uint32(len(m.messages)), places)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	m.view = v
	m.tellExists(v.Count())
	m.check()
	return m
}

func (m *model) place(i int) Place {
	return Place{Seq: UpstreamSeq(i + 1), UID: m.messages[i].uid}
}

// step does one thing that can happen to a folder, and sees to it that the view
// and the client are right.
func (m *model) step() {
	switch m.pick(16) {
	case 0:
		m.hide()
	case 1, 2:
		m.report()
	case 3:
		m.vanished()
	case 4:
		m.nonsense()
	case 5, 6, 7:
		m.expunged()
	default:
		m.exists()
	}
	m.check()
}

func (m *model) arrive() {
	m.messages = append(m.messages, message{uid: m.next + imap.UID(m.pick(3))})
	m.next = m.messages[len(m.messages)-1].uid + 1
}

func (m *model) exists() {
	before := m.view.Count()
	k := m.pick(3)
	for range k {
		m.arrive()
	}
	count, changed, err := m.view.Exists(uint32(len(m.messages)))
	if err != nil || changed != (k > 0) || count != before+uint32(k) {
		m.t.Fatalf("exists %d, %d of them new: %d, %v, %v", len(m.messages), k, count, changed, err)
	}
	if changed {
		m.tellExists(count)
	}
}

// hide names messages of all states: what has been named before stays as it is.
func (m *model) hide() {
	var places []Place
	for i := range m.messages {
		if m.pick(4) == 0 {
			places = append(places, m.place(i))
			m.messages[i].state = max(m.messages[i].state, pending)
		}
	}
	slices.Reverse(places)
	if err := m.view.Hide(places...); err != nil {
		m.t.Fatalf("hide %v: %v", places, err)
	}
}

func (m *model) report() {
	var want, got []imap.UID
	for i := range m.messages {
		if m.messages[i].state == pending {
			m.messages[i].state = hidden
			want = append(want, m.messages[i].uid)
		}
	}
	for _, n := range m.view.Report() {
		got = append(got, m.tellExpunge(n))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		m.t.Fatalf("reported %v, want %v", got, want)
	}
}

func (m *model) expunged() {
	if len(m.messages) == 0 {
		return
	}
	i := m.pick(len(m.messages))
	gone := m.messages[i]
	m.messages = slices.Delete(m.messages, i, i+1)
	n, tell, err := m.view.Expunged(UpstreamSeq(i + 1))
	if err != nil || tell != (gone.state != hidden) {
		m.t.Fatalf("expunged %d, %v: tell %v, %v", i+1, gone, tell, err)
	}
	if tell {
		if uid := m.tellExpunge(n); uid != gone.uid {
			m.t.Fatalf("UID %d is expunged, the client was told of %d", gone.uid, uid)
		}
	}
}

func (m *model) vanished() {
	var gone imap.UIDSet
	var want []imap.UID
	m.messages = slices.DeleteFunc(m.messages, func(one message) bool {
		if m.pick(4) > 0 {
			return false
		}
		gone.AddNum(one.uid)
		if one.state != hidden {
			want = append(want, one.uid)
		}
		return true
	})
	tell, err := m.view.Vanished(gone)
	if err != nil {
		m.t.Fatalf("vanished %v: %v", gone, err)
	}
	told, _ := tell.Nums() // a few of ours
	if !slices.Equal(told, want) {
		m.t.Fatalf("%v vanished, the client was told of %v, want %v", gone, told, want)
	}
	for _, uid := range told {
		i := slices.Index(m.client, uid)
		if i < 0 {
			m.t.Fatalf("the client was told that UID %d vanished, which it does not have", uid)
		}
		m.client = slices.Delete(m.client, i, i+1)
	}
}

// nonsense is what an upstream must not say, and what nobody may ask for. It is
// an error and nothing else.
func (m *model) nonsense() {
	if m.view.Len()+m.view.Pending() == 0 {
		return // all is passed as it is
	}
	n := uint32(len(m.messages))
	_, tellCount, errExists := m.view.Exists(n - 1)
	_, tell, errExpunged := m.view.Expunged(UpstreamSeq(n + 1))
	_, errVanished := m.view.Vanished(imap.UIDSet{{Start: 1, Stop: 1<<32 - 1}})
	errBehind := m.view.Hide(Place{Seq: UpstreamSeq(n + 1), UID: m.next})
	known := m.place(slices.IndexFunc(m.messages, func(one message) bool { return one.state != counted }))
	errOther := m.view.Hide(Place{Seq: known.Seq, UID: known.UID + 1})
	if tell || tellCount || errExists == nil || errExpunged == nil || errVanished == nil || errBehind == nil || errOther == nil {
		m.t.Fatalf("taken: %v, %v, %v, %v, %v", errExists, errExpunged, errVanished, errBehind, errOther)
	}
}

// tellExists is what a strict client makes of an EXISTS.
func (m *model) tellExists(count uint32) {
	if int(count) < len(m.client) {
		m.t.Fatalf("EXISTS went from %d to %d", len(m.client), count)
	}
	m.client = append(m.client, make([]imap.UID, int(count)-len(m.client))...)
}

// tellExpunge is what it makes of an EXPUNGE: the message that it took away.
func (m *model) tellExpunge(n ClientSeq) imap.UID {
	if n == 0 || int(n) > len(m.client) {
		m.t.Fatalf("EXPUNGE %d, the client has %d messages", n, len(m.client))
	}
	uid := m.client[n-1]
	m.client = slices.Delete(m.client, int(n-1), int(n))
	return uid
}

// inView are the places of what the client counts.
func (m *model) inView() []Place {
	var places []Place
	for i, one := range m.messages {
		if one.state != hidden {
			places = append(places, m.place(i))
		}
	}
	return places
}
