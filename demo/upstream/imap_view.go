package upstream

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

// view is what a session was told of the folder that it has open.
type view struct {
	folder   *folder
	readOnly bool
	rights   string
	entries  []entry
	recent   []span // UIDs of messages that were new to this session
	counted  int    // \Recent messages as the client counts them
	keywords int    // so many of the folder's keywords were told
	version  uint64 // of the folder, when it was last looked at
	lastUID  uint32 // no message up to here is new
	renamed  int    // how often the folder was, when it was opened
}

// entry is one message, at its number less one.
type entry struct {
	m    *message
	told *flags // as the client knows them; SEARCH goes by them
}

// isRecent reports whether the message has \Recent in this session.
func (v *view) isRecent(m *message) bool {
	for _, r := range v.recent {
		if r.has(m.uid) {
			return true
		}
	}
	return false
}

// news is what a client has to be told.
type news struct {
	keywords []string   // all of the folder's; nil: nothing new
	flagged  []numbered // messages with other flags, by the numbers before the expunges
	expunged []int      // numbers, the highest first
	exists   bool       // there are more messages
	recent   bool       // the number of \Recent ones is another
	lost     bool       // the folder is gone, or has another name
}

// numbered is a message and its number.
type numbered struct {
	number int
	m      *message
}

// update compares the view with the folder. Without expunge messages that are
// gone stay in the view.
func (v *view) update(expunge bool) (n news) {
	f := v.folder
	f.box.mu.Lock()
	defer f.box.mu.Unlock()
	if f.gone || f.renamed != v.renamed {
		return news{lost: true}
	}
	if v.keywords < len(f.keywords) {
		n.keywords, v.keywords = slices.Clone(f.keywords), len(f.keywords)
	}
	gone := 0
	for i := range v.entries {
		e := &v.entries[i]
		leaves := e.m.gone.Load()
		if leaves {
			gone++
		}
		if now := e.m.flags.Load(); now != e.told { // told even where they were changed back
			if !(leaves && expunge) {
				n.flagged = append(n.flagged, numbered{i + 1, e.m})
			}
			e.told = now
		}
	}
	if gone > 0 && expunge {
		n.expunged = v.drop()
	}
	n.exists = v.grow()
	count := v.countRecent()
	n.recent, v.counted = count != v.counted, count
	if gone == 0 || expunge {
		v.version = f.version
	}
	return n
}

// drop takes the messages out that are gone.
func (v *view) drop() (numbers []int) {
	for i := len(v.entries) - 1; i >= 0; i-- {
		if v.entries[i].m.gone.Load() {
			numbers = append(numbers, i+1)
		}
	}
	v.entries = slices.DeleteFunc(v.entries, func(e entry) bool { return e.m.gone.Load() })
	return numbers
}

// grow takes new messages in. The folder's lock is held.
func (v *view) grow() bool {
	f := v.folder
	from, _ := slices.BinarySearchFunc(f.messages, v.lastUID+1, func(m *message, uid uint32) int { return int(m.uid) - int(uid) })
	for _, m := range f.messages[from:] {
		v.entries = append(v.entries, entry{m, m.flags.Load()})
	}
	if low := max(f.recentFrom, v.lastUID+1); low < f.uidNext {
		v.recent = append(v.recent, span{low, f.uidNext - 1})
	}
	if !v.readOnly { // whoever selects the folder takes \Recent from the others
		f.recentFrom = f.uidNext
	}
	v.lastUID = f.uidNext - 1
	return from < len(f.messages)
}

func (v *view) countRecent() (count int) {
	for _, r := range v.recent {
		from, _ := v.search(r.low)
		to, _ := v.search(r.high + 1)
		count += to - from
	}
	return count
}

// search finds where a UID is, or would be, from 0.
func (v *view) search(uid uint32) (int, bool) {
	i := sort.Search(len(v.entries), func(i int) bool { return v.entries[i].m.uid >= uid })
	return i, i < len(v.entries) && v.entries[i].m.uid == uid
}

// numbers gives the messages of a set as indexes from 0, ascending. It is not
// ok where a message number is beyond the last.
func (v *view) numbers(set set, uid bool) (numbers []int, ok bool) {
	last := uint32(len(v.entries))
	if uid && last > 0 {
		last = v.entries[last-1].m.uid
	}
	for _, r := range set.resolve(last) {
		from, to := int(r.low)-1, int(r.high)
		if uid {
			from, _ = v.search(r.low)
			to = sort.Search(len(v.entries), func(i int) bool { return v.entries[i].m.uid > r.high })
		} else if r.low == 0 || r.high > last {
			return nil, false
		}
		numbers = slices.Grow(numbers, max(0, to-from))
		for i := from; i < to; i++ {
			numbers = append(numbers, i)
		}
	}
	return numbers, true
}

// messages are those with these indexes.
func (v *view) messages(numbers []int) []*message {
	messages := make([]*message, len(numbers))
	for i, n := range numbers {
		messages[i] = v.entries[n].m
	}
	return messages
}

// tellNews tells what changed since the last time.
func (s *imapSession) tellNews(expunge, uid bool) {
	v := s.open
	if v == nil || v.unchanged() {
		return
	}
	n := v.update(expunge)
	if n.lost {
		s.say("* BYE IMAP session state is inconsistent, please relogin.")
		s.over, s.open = true, nil
		return
	}
	if n.keywords != nil {
		s.sayFlags(n.keywords, v.readOnly)
	}
	for _, f := range n.flagged {
		s.sayFetchFlags(f, uid)
	}
	for _, number := range n.expunged {
		s.say("* " + strconv.Itoa(number) + " EXPUNGE")
	}
	if n.exists {
		s.say("* " + strconv.Itoa(len(v.entries)) + " EXISTS")
	}
	if n.recent {
		s.say("* " + strconv.Itoa(v.counted) + " RECENT")
	}
}

// tellKeywords tells those that are new: they are told in front of flags that a
// client asked for.
func (s *imapSession) tellKeywords() {
	v := s.open
	v.folder.box.mu.Lock()
	keywords := slices.Clone(v.folder.keywords)
	v.folder.box.mu.Unlock()
	if v.keywords < len(keywords) {
		v.keywords = len(keywords)
		s.sayFlags(keywords, v.readOnly)
	}
}

func (v *view) unchanged() bool {
	v.folder.box.mu.Lock()
	defer v.folder.box.mu.Unlock()
	return v.version == v.folder.version
}

// sayFlags tells which flags there are.
func (s *imapSession) sayFlags(keywords []string, readOnly bool) {
	names := strings.Join(append(slices.Clone(systemNames), keywords...), " ")
	s.say("* FLAGS (" + names + ")")
	if readOnly {
		s.say("* OK [PERMANENTFLAGS ()] Read-only mailbox.")
		return
	}
	s.say("* OK [PERMANENTFLAGS (" + names + ` \*)] Flags permitted.`)
}

// sayFetchFlags tells one message's flags.
func (s *imapSession) sayFetchFlags(n numbered, uid bool) {
	b := append(s.w.AvailableBuffer(), "* "...)
	b = append(strconv.AppendInt(b, int64(n.number), 10), " FETCH ("...)
	if uid {
		b = append(strconv.AppendUint(append(b, "UID "...), uint64(n.m.uid), 10), ' ')
	}
	b = append(n.m.flags.Load().append(append(b, "FLAGS ("...), s.open.isRecent(n.m)), "))\r\n"...)
	_, _ = s.w.Write(b)
}
