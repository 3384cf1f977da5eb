package guard

import (
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"mailguard/ledger"
	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// copies remembers what members have copied within a mailbox lately: COPY,
// \Deleted and EXPUNGE are how many clients move a message. What is forgotten
// too early makes an expunge of a move, and policy decides about that.
type copies struct {
	mu      sync.Mutex
	made    *simplelru.LRU[copySource, copyMade]
	sources map[copyPlace]copySource // of each copy that made knows
}

// copyPlace is one message of a mailbox.
type copyPlace struct {
	mailbox member.Mailbox
	key     ledger.FolderKey
	uid     message.UID
}

// copySource is a message, as one member sees it.
type copySource struct {
	copyPlace
	member member.Name
}

type copyMade struct {
	to  copyPlace
	use string // the destination's special use
	at  time.Time
}

// copyCounts is how long a copy makes a move of an expunge.
const copyCounts = 10 * time.Minute

// copiesKept bounds the memory, to some 10 MB.
const copiesKept = 20_000

func newCopies(size int) *copies {
	c := &copies{sources: make(map[copyPlace]copySource)}
	c.made, _ = simplelru.NewLRU(size, func(_ copySource, made copyMade) { delete(c.sources, made.to) }) // only a size below one is an error
	return c
}

func (c *copies) add(from copySource, made copyMade) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made.Remove(from) // the last copy counts
	if before, known := c.sources[made.to]; known {
		c.made.Remove(before)
	}
	c.made.Add(from, made)
	c.sources[made.to] = from
}

func (c *copies) find(from copySource, now time.Time) (copyMade, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, ok := c.made.Get(from)
	return made, ok && now.Sub(made.at) <= copyCounts
}

// forget forgets that these messages are copies of others: they are removed.
func (c *copies) forget(mailbox member.Mailbox, key ledger.FolderKey, removed []message.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uid := range removed {
		if from, known := c.sources[copyPlace{mailbox, key, uid}]; known {
			c.made.Remove(from)
		}
	}
}

// forgetOwn forgets that messages are copies which the member made: they are
// hidden from the member, and stand only for others.
func (c *copies) forgetOwn(v Visitor, key ledger.FolderKey, hidden []message.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uid := range hidden {
		if from, known := c.sources[copyPlace{v.Mailbox, key, uid}]; known && from.member == v.Member {
			c.made.Remove(from)
		}
	}
}

// forgetFolder forgets the copies in a folder and in those below it.
func (c *copies) forgetFolder(mailbox member.Mailbox, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for to, from := range c.sources {
		if to.mailbox == mailbox && (to.key.Name == name || strings.HasPrefix(to.key.Name, name+"/")) {
			c.made.Remove(from)
		}
	}
}

// Copied notes that the upstream has copied messages of this folder within the
// mailbox; source and copies go in pairs, as COPYUID names them. Without
// COPYUID nobody can tell whether a copy still stands, and nothing is noted.
func (f *Folder) Copied(source []message.UID, dest, destUse string, destValidity uint32, copied []message.UID) {
	if len(source) != len(copied) {
		return
	}
	now := f.guard.Now()
	for i, uid := range source {
		to := copyPlace{f.visitor.Mailbox, ledger.FolderKey{Name: dest, UIDValidity: destValidity}, copied[i]}
		f.guard.copies.add(f.source(uid), copyMade{to, destUse, now})
	}
}

func (f *Folder) source(uid message.UID) copySource {
	return copySource{copyPlace{f.visitor.Mailbox, f.key, uid}, f.visitor.Member}
}

// copied says where the member has copied a message lately.
func (f *Folder) copied(uid message.UID) (copyMade, bool) {
	return f.guard.copies.find(f.source(uid), f.guard.Now())
}

// copiesOf are the copies that make moves of expunges which are deferred.
func (f *Folder) copiesOf(rulings []FolderRuling) (made []ledger.FolderCopy) {
	for _, r := range rulings {
		if r.Outcome != policy.Deferred || r.Facts.Op != policy.IMAPMove {
			continue
		}
		if c, ok := f.copied(r.Seen.UID); ok && c.to.key.Name == r.Facts.Destination {
			made = append(made, ledger.FolderCopy{
				Original: r.Seen.UID, Folder: c.to.key.Name, Placed: Copy{UIDValidity: c.to.key.UIDValidity, UID: c.to.uid},
			})
		}
	}
	return made
}
