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
// session makes reach the member's other sessions. It holds nothing of a
// folder that nobody has open.
type openFolders struct {
	mu   sync.Mutex // never held while something is waited for
	open map[openFolder]map[member.Name]*openMember
}

type openFolder struct {
	mailbox member.Mailbox
	key     ledger.FolderKey
}

// openMember is one member's marks in a folder which they have open, and the
// sessions that have it open.
type openMember struct {
	turn     chan struct{} // holds one value while marks are being written: memory follows the ledger
	users    int           // sessions, and those about to become one
	marks    []message.UID // ascending; replaced, never changed
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

// enter makes f one of the member's sessions, with the marks that read returns.
func (o *openFolders) enter(ctx context.Context, f *Folder, changed func(), read func() ([]message.UID, error)) error {
	m := o.join(f)
	if err := m.wait(ctx); err != nil {
		o.drop(f, m)
		return err
	}
	marks, err := read()
	if err != nil {
		m.done()
		o.drop(f, m)
		return err
	}
	o.mu.Lock()
	f.member, f.shown = m, marks
	m.sessions[f] = changed
	told := m.replace(marks, f) // the ledger knows best
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
	return o.apply(f, add, remove), nil // also where nothing is written: the client knows now
}

// write is change for a write that is made in any case and takes marks away.
func (o *openFolders) write(ctx context.Context, f *Folder, remove []message.UID, write func() error) error {
	if err := f.member.wait(ctx); err != nil {
		return err
	}
	err := write()
	var told []func()
	if err == nil {
		told = o.apply(f, nil, remove)
	}
	f.member.done()
	tell(told)
	return err
}

// apply changes the marks in memory as the ledger's have changed, and returns
// whom to tell: everybody but f, which knows.
func (o *openFolders) apply(f *Folder, add, remove []message.UID) []func() {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, marks := f.member.marks, after(f.member.marks, add, remove)
	if slices.Equal(f.shown, before) { // mostly so: then all sessions share one list
		f.shown = marks
	} else {
		f.shown = after(f.shown, add, remove)
	}
	return f.member.replace(marks, f)
}

// replace changes the marks and returns how to tell the sessions that do not
// know them; by is told by whoever called.
func (m *openMember) replace(marks []message.UID, by *Folder) []func() {
	m.marks = marks
	var told []func()
	for f, changed := range m.sessions {
		if f != by && changed != nil && !slices.Equal(f.shown, marks) {
			told = append(told, changed)
		}
	}
	return told
}

func tell(sessions []func()) {
	for _, changed := range sessions {
		changed()
	}
}

// gone takes messages that are gone out of everybody's marks. Nobody is told:
// the upstream tells them that the message is gone.
func (o *openFolders) gone(place openFolder, gone []message.UID) {
	if len(gone) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.open[place] {
		before := m.marks
		m.marks = after(before, nil, gone)
		for f := range m.sessions {
			if slices.Equal(f.shown, before) {
				f.shown = m.marks
			} else {
				f.shown = after(f.shown, nil, gone)
			}
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
