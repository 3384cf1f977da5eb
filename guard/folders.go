package guard

import (
	"context"
	"slices"
	"sync"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
)

// openFolders are the folders that members have open, so that marks which one
// session makes, and what it hides, reach the member's other sessions. It holds nothing of a
// folder that nobody has open.
type openFolders struct {
	mu   sync.Mutex // never held while something is waited for
	open map[openFolder]map[member.Name]*openMember
}

type openFolder struct {
	mailbox member.Mailbox
	key     ledger.FolderKey
}

// openMember is one member's marks in a folder which they have open, what is
// hidden from them, and the sessions that have it open.
type openMember struct {
	turn     chan struct{} // holds one value while any of it is being written: memory follows the ledger
	users    int           // sessions, and those about to become one
	marks    []message.UID // ascending; replaced, never changed
	hidden   []message.UID // the same
	sessions map[*Folder]func()
}

func newOpenFolders() *openFolders {
	return &openFolders{open: make(map[openFolder]map[member.Name]*openMember)}
}

func (f *Folder) place() openFolder { return openFolder{f.visitor.Mailbox, f.key} }

// wait takes the turn to write this member's marks.
func (m *openMember) wait(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *openMember) done() { <-m.turn }

// enter makes f one of the member's sessions, with what read returns.
func (o *openFolders) enter(ctx context.Context, f *Folder, changed func(), read func() (*ledger.Folder, error)) error {
	m := o.join(f)
	if err := m.wait(ctx); err != nil {
		o.drop(f, m)
		return err
	}
	known, err := read()
	if err != nil {
		m.done()
		o.drop(f, m)
		return err
	}
	o.mu.Lock()
	f.member, f.shown, f.concealed = m, known.Marks, known.Hidden
	m.sessions[f] = changed
	told := m.replace(known.Marks, known.Hidden, f) // the ledger knows best
	o.mu.Unlock()
	m.done()
	tell(told)
	return nil
}

func (o *openFolders) join(f *Folder) *openMember {
	o.mu.Lock()
	defer o.mu.Unlock()
	members := o.open[f.place()]
	if members == nil {
		members = make(map[member.Name]*openMember)
		o.open[f.place()] = members
	}
	m := members[f.visitor.Member]
	if m == nil {
		m = &openMember{turn: make(chan struct{}, 1), sessions: make(map[*Folder]func())}
		members[f.visitor.Member] = m
	}
	m.users++
	return m
}

func (o *openFolders) leave(f *Folder) {
	o.drop(f, f.member)
	f.member = nil
}

func (o *openFolders) drop(f *Folder, m *openMember) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(m.sessions, f)
	if m.users--; m.users > 0 {
		return
	}
	members := o.open[f.place()]
	if delete(members, f.visitor.Member); len(members) == 0 {
		delete(o.open, f.place())
	}
}

// change is what becomes of a member's marks and of what is hidden from them.
type change struct {
	add, remove []message.UID // marks
	hide        []message.UID
}

// change writes marks, in the member's turn, and then tells the member's other
// sessions. Nothing is written that is so already.
func (o *openFolders) change(ctx context.Context, f *Folder, add, remove []message.UID, write func() error) error {
	if err := f.member.wait(ctx); err != nil {
		return err
	}
	told, err := o.changeInTurn(f, add, remove, write)
	f.member.done()
	tell(told)
	return err
}

func (o *openFolders) changeInTurn(f *Folder, add, remove []message.UID, write func() error) ([]func(), error) {
	if now := o.marks(f); !slices.Equal(after(now, add, remove), now) {
		if err := write(); err != nil {
			return nil, err
		}
	}
	return o.apply(f, change{add: add, remove: remove}), nil // also where nothing is written: the client knows now
}

// write is change for a write that is made in any case, and that returns what
// it changed.
func (o *openFolders) write(ctx context.Context, f *Folder, write func() (change, error)) error {
	if err := f.member.wait(ctx); err != nil {
		return err
	}
	c, err := write()
	var told []func()
	if err == nil {
		told = o.apply(f, c)
	}
	f.member.done()
	tell(told)
	return err
}

// apply changes in memory what has changed in the ledger, and returns whom to
// tell: everybody but f, which knows.
func (o *openFolders) apply(f *Folder, c change) []func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	marks := f.member.marks
	if len(c.add)+len(c.remove) > 0 {
		marks = after(marks, c.add, c.remove)
		f.shown = follow(f.shown, f.member.marks, marks, c.add, c.remove)
	}
	hidden := f.member.hidden
	if len(c.hide) > 0 {
		hidden = after(hidden, c.hide, nil)
		f.concealed = follow(f.concealed, f.member.hidden, hidden, c.hide, nil)
	}
	return f.member.replace(marks, hidden, f)
}

// follow is the change of a session's own list when the member's changes from
// before to now. Mostly they are equal: then all sessions share one list.
func follow(own, before, now, add, remove []message.UID) []message.UID {
	if slices.Equal(own, before) {
		return now
	}
	return after(own, add, remove)
}

// replace changes the lists and returns how to tell the sessions that do not
// know them; by is told by whoever called.
func (m *openMember) replace(marks, hidden []message.UID, by *Folder) []func() {
	m.marks, m.hidden = marks, hidden
	var told []func()
	for f, changed := range m.sessions {
		if f != by && changed != nil && (!slices.Equal(f.shown, marks) || len(f.unsaid()) > 0) {
			told = append(told, changed)
		}
	}
	return told
}

// unsaid is what is hidden from the member and was not said to the session.
func (f *Folder) unsaid() []message.UID {
	if slices.Equal(f.concealed, f.member.hidden) {
		return nil
	}
	return without(f.member.hidden, f.concealed)
}

func tell(sessions []func()) {
	for _, changed := range sessions {
		if changed != nil {
			changed()
		}
	}
}

// gone takes messages that are gone out of everybody's marks and out of what is
// hidden. Nobody is told: the upstream tells them that the message is gone.
func (o *openFolders) gone(place openFolder, gone []message.UID) {
	if len(gone) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.open[place] {
		marks, hidden := m.marks, m.hidden
		m.marks, m.hidden = after(marks, nil, gone), after(hidden, nil, gone)
		for f := range m.sessions {
			f.shown = follow(f.shown, marks, m.marks, nil, gone)
			f.concealed = follow(f.concealed, hidden, m.hidden, nil, gone)
		}
	}
}

func (o *openFolders) marks(f *Folder) []message.UID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(f.member.marks)
}

func (o *openFolders) changes(f *Folder) (marked, unmarked []message.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, now := f.shown, f.member.marks
	f.shown = now
	return without(now, before), without(before, now)
}

func (o *openFolders) hidden(f *Folder) []message.UID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(f.concealed)
}

func (o *openFolders) hides(f *Folder) []message.UID {
	o.mu.Lock()
	defer o.mu.Unlock()
	unsaid := f.unsaid()
	if len(unsaid) == 0 {
		return nil
	}
	f.concealed = after(f.concealed, unsaid, nil)
	if slices.Equal(f.concealed, f.member.hidden) {
		f.concealed = f.member.hidden
	}
	return unsaid
}

// unhide takes messages out of what is hidden from a member who may have the
// folder open. A session cannot show what it has not shown before: it is stale,
// and what came back returns at the next SELECT.
func (o *openFolders) unhide(place openFolder, who member.Name, back []message.UID) {
	o.mu.Lock()
	var told []func()
	if m := o.open[place][who]; m != nil {
		m.hidden = after(m.hidden, nil, back)
		for f, changed := range m.sessions {
			if len(without(back, f.concealed)) < len(back) {
				f.stale = true
				told = append(told, changed)
			}
		}
	}
	o.mu.Unlock()
	tell(told)
}

func (o *openFolders) isStale(f *Folder) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return f.stale
}
