package views

import (
	"slices"
	"strings"
)

// class is what policy says to a deletion of a message. Its size tells.
type class byte

const (
	deferred class = 'd'
	allowed  class = 'a'
	refused  class = 'r'
)

// flags are those that the model plays with.
type flags uint

const (
	seen flags = 1 << iota
	flagged
	answered
	deleted // a member's own mark; never kept with the message
)

var flagNames = []string{`\Seen`, `\Flagged`, `\Answered`, `\Deleted`}

func (f flags) names() (names []string) {
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (f flags) String() string { return flagsOf(f.names()) }

// message is one message in one folder upstream.
type message struct {
	uid   uint32
	token string // what its subject says: copies have the same
	class class
	flags flags
}

// folder is a folder upstream.
type folder struct {
	name     string
	validity uint32
	next     uint32
	messages []*message
}

func (f *folder) find(uid uint32) *message {
	for _, m := range f.messages {
		if m.uid == uid {
			return m
		}
	}
	return nil
}

// place is one life of a folder.
type place struct {
	folder   string
	validity uint32
}

func (f *folder) place() place { return place{f.name, f.validity} }

// spot is one message for ever.
type spot struct {
	place
	uid uint32
}

// how says how a member deleted a message.
type how int

const (
	byExpunge how = 1 + iota
	byMove
)

// person is what the model knows of one member.
type person struct {
	hidden map[spot]how
	marks  map[spot]bool
	ghosts map[spot]bool // hidden, and gone upstream: a STATUS may count them until somebody looks
	copied map[spot]spot // messages to their last copies by COPY, as far as the guard remembers them
	undone map[spot]spot // originals that came back, to the copies hidden in their stead, until the original is looked for
}

// model is the mailbox upstream, and what each member has deleted of it.
type model struct {
	folders map[string]*folder
	people  map[string]*person // by IMAP
	pop3    map[uint32]bool    // what the POP3 member has deleted of the INBOX
	copies  map[spot]spot      // of deferred moves, to their originals
	tokens  int
}

func newModel() *model {
	return &model{folders: make(map[string]*folder), people: make(map[string]*person), pop3: make(map[uint32]bool), copies: make(map[spot]spot)}
}

func (m *model) person(name string) *person {
	if m.people[name] == nil {
		m.people[name] = &person{make(map[spot]how), make(map[spot]bool), make(map[spot]bool), make(map[spot]spot), make(map[spot]spot)}
	}
	return m.people[name]
}

// visible is what a member sees in a folder that it opens now.
func (m *model) visible(who string, f *folder) (list []*message) {
	p := m.person(who)
	for _, msg := range f.messages {
		if p.hidden[spot{f.place(), msg.uid}] == 0 {
			list = append(list, msg)
		}
	}
	return list
}

// flagsFor are a message's flags as a member sees them.
func (m *model) flagsFor(who string, f *folder, msg *message) flags {
	if m.person(who).marks[spot{f.place(), msg.uid}] {
		return msg.flags | deleted
	}
	return msg.flags
}

// mayGo is what becomes of a deletion over IMAP.
func (m *model) verdict(msg *message) class {
	return msg.class
}

// remove is that a message leaves the folder upstream. It returns the copies that
// members have again in its stead.
func (m *model) remove(f *folder, uid uint32) map[string]spot {
	back := make(map[string]spot)
	f.messages = slices.DeleteFunc(f.messages, func(msg *message) bool { return msg.uid == uid })
	at := spot{f.place(), uid}
	for who, p := range m.people {
		if p.hidden[at] != 0 {
			p.ghosts[at] = true
		}
		delete(p.hidden, at)
		delete(p.marks, at)
		p.forgetCopy(at)
		if copied, undone := p.returnCopy(at); undone {
			back[who] = copied
		}
	}
	return back
}

// hide takes a message out of a member's view.
func (m *model) hide(who string, f *folder, uid uint32, by how) {
	p, at := m.person(who), spot{f.place(), uid}
	p.hidden[at] = by
	delete(p.marks, at)
	delete(p.undone, at)
	p.forgetCopy(at)
}

// add is a message that arrives with the next UID.
func (m *model) add(f *folder, token string, c class, fl flags) *message {
	msg := &message{uid: f.next, token: token, class: c, flags: fl}
	f.next++
	f.messages = append(f.messages, msg)
	return msg
}

// held reports whether a member other than who has deleted a message.
func (m *model) held(at spot, who string) bool {
	for name, p := range m.people {
		if name != who && p.hidden[at] != 0 {
			return true
		}
	}
	return false
}

// holds reports whether anybody has deleted anything of a folder that is there.
func (m *model) holds(f *folder) bool {
	return slices.ContainsFunc(f.messages, func(msg *message) bool { return m.held(spot{f.place(), msg.uid}, "\x00") })
}

// remembered reports whether anybody has deleted anything that lay in a folder of
// this name, in whichever life and whether it is there or not: the guard may
// take it for held until somebody looks.
func (m *model) remembered(name string) bool {
	for _, p := range m.people {
		for at := range p.hidden {
			if at.folder == name {
				return true
			}
		}
		for at := range p.ghosts {
			if at.folder == name {
				return true
			}
		}
	}
	return false
}

// hiddenIn counts what a member has deleted of a folder, gone or not.
func (m *model) hiddenIn(who string, f *folder) (there, ghosts int) {
	p := m.person(who)
	for at := range p.hidden {
		switch {
		case at.place != f.place():
		case f.find(at.uid) == nil: // it went while the folder had another name, past the guard
			ghosts++
		default:
			there++
		}
	}
	for at := range p.ghosts {
		if at.place == f.place() {
			ghosts++
		}
	}
	return there, ghosts
}

// text is a message with its line ends, of the size that its class has.
func (msg *message) text() string {
	head := "From: customer@example.net\r\nSubject: " + msg.token + "\r\nMessage-ID: <" + msg.token + "@example.net>\r\n\r\n"
	size := map[class]int{allowed: 200, refused: 500, deferred: 800}[msg.class]
	return head + strings.Repeat("x", size-len(head)-2) + "\r\n"
}
