package upstream

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// message is one message in one folder. All but its flags stays as it is.
type message struct {
	*text
	uid   uint32
	date  time.Time // INTERNALDATE
	flags atomic.Pointer[flags]
	gone  atomic.Bool // no longer in its folder
}

func (m *message) size() int64 { return int64(len(m.raw)) }

// folder is one IMAP mailbox. The lock of its mailbox guards it.
type folder struct {
	box         *mailbox
	name        string // "/" between levels; the INBOX is "INBOX"
	use         string // its special use, such as \Trash
	uidValidity uint32
	uidNext     uint32
	recentFrom  uint32     // from here on no session has had \Recent
	messages    []*message // by UID
	keywords    []string   // all that were ever used here
	version     uint64     // counts changes
	gone        bool       // was deleted
	renamed     int        // how often
	watchers    map[chan struct{}]struct{}
}

func newFolder(box *mailbox, name, use string, uidValidity uint32) *folder {
	return &folder{
		box: box, name: name, use: use, uidValidity: uidValidity,
		uidNext: 1, recentFrom: 1, watchers: make(map[chan struct{}]struct{}),
	}
}

// called is the name that the folder has now.
func (f *folder) called() string {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	return f.name
}

// renames is how often it got another name.
func (f *folder) renames() int {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	return f.renamed
}

// changed tells all who wait for news. The lock is held.
func (f *folder) changed() {
	f.version++
	for c := range f.watchers {
		select {
		case c <- struct{}{}:
		default: // told already
		}
	}
}

// end tells all sessions that have the folder open that it is gone. The lock is
// held.
func (f *folder) end() {
	f.gone = true
	for _, m := range f.messages {
		m.gone.Store(true)
	}
	f.changed()
}

// watch returns a channel on which changes are told, one or several at once.
func (f *folder) watch() (news chan struct{}, stop func()) {
	news = make(chan struct{}, 1)
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	f.watchers[news] = struct{}{}
	return news, func() {
		f.box.mu.Lock()
		defer f.box.mu.Unlock()
		delete(f.watchers, news)
	}
}

// draftMessage is a message that has no UID yet.
type draftMessage struct {
	text  *text
	date  time.Time
	flags change
}

// add stores messages, all at once, and returns their UIDs: those from first.
func (f *folder) add(drafts []draftMessage) (first uint32) {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	first = f.uidNext
	for _, d := range drafts {
		m := &message{text: d.text, uid: f.uidNext, date: d.date.Local()} // Dovecot keeps no zone
		f.learn(d.flags.keywords)
		m.flags.Store(d.flags.apply(newFlags(0, nil), f.keywords))
		f.messages = append(f.messages, m)
		f.uidNext++
	}
	f.changed()
	return first
}

// learn notes keywords that are new here. The lock is held.
func (f *folder) learn(keywords []string) {
	for _, k := range keywords {
		if !slices.ContainsFunc(f.keywords, func(known string) bool { return strings.EqualFold(known, k) }) {
			f.keywords = append(f.keywords, k)
		}
	}
}

// store changes the flags of messages as far as the rights go.
func (f *folder) store(messages []*message, c change, rights string) {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	for _, m := range messages {
		old := m.flags.Load()
		allowed := c.allowed(rights, old)
		if allowed.mode != '-' {
			f.learn(allowed.keywords)
		}
		if now := allowed.apply(old, f.keywords); !now.equal(old) {
			m.flags.Store(now)
		}
	}
	f.changed()
}

// expunge removes messages for good and returns those that were still there.
func (f *folder) expunge(which func(*message) bool) []*message {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	var gone []*message
	f.messages = slices.DeleteFunc(f.messages, func(m *message) bool {
		if !which(m) {
			return false
		}
		m.gone.Store(true)
		gone = append(gone, m)
		return true
	})
	if len(gone) > 0 {
		f.changed()
	}
	return gone
}

// snapshot is what is in the folder now.
func (f *folder) snapshot() []*message {
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	return slices.Clone(f.messages)
}
