package upstream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// firstUIDValidity is the INBOX's in all mailboxes, which live as long as the
// server. Folders made later have higher ones.
const firstUIDValidity = 0x6b039c95

// inboxName is the INBOX's name; RFC 9051, 5.1 compares it in any case.
const inboxName = "INBOX"

// allRights are the owner's (RFC 4314, 2.1).
const allRights = "lrwstipekxa"

// mailbox is one user's mail.
type mailbox struct {
	owner    string
	password string

	mu         sync.Mutex
	folders    map[string]*folder // the INBOX too
	subscribed map[string]bool    // by the name that clients use
	rights     map[string]string  // by user; the owner has all if they are not here
	special    bool               // the folders with a special use were made
	validity   uint32             // of the folder made last
}

func newMailbox(owner, password string) *mailbox {
	b := &mailbox{owner: owner, password: password, subscribed: make(map[string]bool), rights: make(map[string]string), validity: firstUIDValidity}
	b.folders = map[string]*folder{inboxName: newFolder(b, inboxName, "", firstUIDValidity)}
	return b
}

// makeSpecial makes the folders with a special use, once.
func (b *mailbox) makeSpecial() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.special {
		return
	}
	b.special = true
	for _, name := range []string{"Archive", "Drafts", "Junk", "Sent", "Trash"} {
		if b.folders[name] == nil {
			b.make(name, `\`+name)
		}
	}
}

// make makes a folder. The lock is held.
func (b *mailbox) make(name, use string) {
	b.validity++
	b.folders[name] = newFolder(b, name, use, b.validity)
}

// create makes a folder, or says no: there is one.
func (b *mailbox) create(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folders[name] != nil {
		return false
	}
	b.make(name, "")
	return true
}

// destroy takes a folder away and returns what was in it; no if there is none.
func (b *mailbox) destroy(name string) ([]*message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.folders[name]
	if f == nil {
		return nil, false
	}
	delete(b.folders, name)
	f.end()
	return f.messages, true
}

// rename gives a folder and those below it another name.
func (b *mailbox) rename(from, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Collect(maps.Keys(b.folders)) {
		if rest, below := strings.CutPrefix(name, from); below && (rest == "" || rest[0] == '/') {
			f := b.folders[name]
			delete(b.folders, name)
			f.name = to + rest
			b.folders[f.name] = f
			f.renamed++
			f.changed()
		}
	}
}

// folder finds one by its name, "/" between levels; nil is none.
func (b *mailbox) folder(name string) *folder {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.folders[name]
}

// inbox is always there; what it is may change, see Server.ChangeUIDValidity.
func (b *mailbox) inbox() *folder { return b.folder(inboxName) }

// renumber puts a new folder in the place of one, with what is in it: with
// another UIDVALIDITY, and UIDs from 1 on. No if there is none.
func (b *mailbox) renumber(name string) (uidValidity uint32, there bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.folders[name]
	if old == nil {
		return 0, false
	}
	b.make(name, old.use)
	f := b.folders[name]
	f.keywords = old.keywords
	for _, m := range old.messages {
		again := &message{text: m.text, uid: f.uidNext, date: m.date}
		again.flags.Store(m.flags.Load())
		f.messages = append(f.messages, again)
		f.uidNext++
	}
	old.end()
	return f.uidValidity, true
}

// names lists the folders in order, the INBOX first.
func (b *mailbox) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names := slices.Sorted(maps.Keys(b.folders))
	i := slices.Index(names, inboxName)
	return append([]string{inboxName}, slices.Delete(names, i, i+1)...)
}

// rightsOf are what a user may do here.
func (b *mailbox) rightsOf(user string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rights, set := b.rights[user]; set || user != b.owner {
		return rights
	}
	return allRights
}

// deliver stores a message.
func (b *mailbox) deliver(octets []byte) {
	b.inbox().add([]draftMessage{{text: newText(clone(octets)), date: time.Now(), flags: change{mode: '='}}})
}

// clone leaves the room that newText likes.
func clone(octets []byte) []byte {
	return append(make([]byte, 0, len(octets)+spare), octets...)
}

// uniqueID is a message's in a folder with that UIDVALIDITY.
func (s *Server) uniqueID(uidValidity uint32, m *message) string {
	if s.UniqueID != nil {
		return s.UniqueID(int(m.uid))
	}
	return fmt.Sprintf("%08x%08x", m.uid, uidValidity)
}
