package upstream

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// thread is a message with those below it. A message that is not there, or was
// not found, has no number; it holds its children together.
type thread struct {
	number   uint32 // or UID
	m        *message
	parent   *thread
	children []*thread
}

// cmdThread is THREAD and UID THREAD (RFC 5256, 3).
func (s *imapSession) cmdThread(c *command) string {
	if len(c.args) < 3 || !c.args[0].word() {
		return c.bad("Missing arguments")
	}
	algorithm := map[string]func([]*thread) []*thread{"ORDEREDSUBJECT": bySubject, "REFERENCES": byReferences}[strings.ToUpper(c.args[0].text)]
	if algorithm == nil || !s.can("THREAD="+strings.ToUpper(c.args[0].text)) {
		return c.bad("Unknown thread algorithm")
	}
	found, lost, problem := s.findIn(c, c.args[1:])
	if problem != "" {
		return problem
	}
	var all []*thread
	for i, n := range numbersOf(found, c.uid) {
		all = append(all, &thread{number: n, m: found[i].m})
	}
	b := []byte("* THREAD ")
	for _, t := range algorithm(all) {
		b = append(t.append(append(b, '(')), ')')
	}
	s.say(string(b))
	return foundAll(lost, "Thread")
}

// append writes RFC 5256, 4, thread-members.
func (t *thread) append(b []byte) []byte {
	if t.m != nil {
		b = strconv.AppendUint(b, uint64(t.number), 10)
		if len(t.children) == 1 {
			return t.children[0].append(append(b, ' '))
		}
		if len(t.children) > 1 {
			b = append(b, ' ')
		}
	}
	for _, child := range t.children {
		b = append(child.append(append(b, '(')), ')')
	}
	return b
}

// date is the message's, or that of the first below it (RFC 5256, 3).
func (t *thread) date() time.Time {
	if t.m == nil {
		return t.children[0].date()
	}
	return t.m.sent()
}

func (t *thread) isReply() bool {
	if t.m == nil {
		return false
	}
	_, reply := t.m.subject()
	return reply
}

// subject is the base subject of the message, or of the first below it.
func (t *thread) subject() string {
	if t.m == nil {
		return t.children[0].subject()
	}
	base, _ := t.m.subject()
	return base
}

func sortThreads(all []*thread) {
	slices.SortStableFunc(all, func(a, b *thread) int {
		if d := compareSeconds(a.date(), b.date()); d != 0 {
			return d
		}
		return int(int64(a.first()) - int64(b.first()))
	})
}

// first is the number of the message, or of the first below it.
func (t *thread) first() uint32 {
	if t.m == nil {
		return t.children[0].first()
	}
	return t.number
}

// bySubject is ORDEREDSUBJECT: all messages with one base subject are below the
// first of them.
func bySubject(all []*thread) (roots []*thread) {
	sortThreads(all)
	first := make(map[string]*thread)
	for _, t := range all {
		subject := t.subject()
		if root := first[subject]; root != nil {
			root.children = append(root.children, t)
			continue
		}
		first[subject] = t
		roots = append(roots, t)
	}
	return roots
}

// byReferences is REFERENCES, in the steps of RFC 5256, 3.
func byReferences(all []*thread) []*thread {
	l := &linker{ids: make(map[string]*thread)}
	for _, t := range all {
		l.link(t)
	}
	var roots []*thread
	for _, t := range l.all { // step 2
		if t.parent == nil {
			roots = append(roots, t)
		}
	}
	roots = prune(roots, true)
	for _, t := range roots { // step 4: dates only count among siblings
		t.sort()
	}
	sortThreads(roots)
	roots = joinSubjects(roots)
	for _, t := range roots { // step 6
		t.sort()
	}
	sortThreads(roots)
	return roots
}

// linker is step 1: each message gets the parent that it names.
type linker struct {
	ids map[string]*thread
	all []*thread
}

var messageID = regexp.MustCompile(`<([^<>]+)>`)

func (l *linker) byID(id string) *thread {
	t := l.ids[id]
	if t == nil {
		t = &thread{}
		l.ids[id] = t
		l.all = append(l.all, t)
	}
	return t
}

func (l *linker) link(found *thread) {
	t := found
	if id := ids(found.m, "Message-ID"); len(id) > 0 && l.byID(id[0]).m == nil {
		t = l.byID(id[0])
		t.m, t.number = found.m, found.number
	} else { // none, or a second one with this id
		l.all = append(l.all, t)
	}
	references := ids(t.m, "References")
	if len(references) == 0 {
		references = ids(t.m, "In-Reply-To")
		references = references[:min(1, len(references))]
	}
	var parent *thread
	for _, id := range references {
		next := l.byID(id)
		if parent != nil && next.parent == nil && !next.isAbove(parent) {
			next.setParent(parent)
		}
		parent = next
	}
	if parent == nil || !t.isAbove(parent) {
		t.setParent(parent)
	}
}

func ids(m *message, name string) (found []string) {
	value, _ := headerValue(m.raw[:m.header], name)
	for _, match := range messageID.FindAllStringSubmatch(value, -1) {
		found = append(found, match[1])
	}
	return found
}

// isAbove reports whether t is other, or above it.
func (t *thread) isAbove(other *thread) bool {
	for ; other != nil; other = other.parent {
		if other == t {
			return true
		}
	}
	return false
}

func (t *thread) setParent(parent *thread) {
	if old := t.parent; old != nil {
		old.children = slices.DeleteFunc(old.children, func(c *thread) bool { return c == t })
	}
	t.parent = parent
	if parent != nil {
		parent.children = append(parent.children, t)
	}
}

// prune is step 3: what is not there goes, and its children take its place; but
// several children are not made roots.
func prune(siblings []*thread, root bool) (kept []*thread) {
	for _, t := range siblings {
		t.children = prune(t.children, false)
		if t.m == nil && (len(t.children) < 2 || !root) {
			kept = append(kept, t.children...)
			continue
		}
		kept = append(kept, t)
	}
	return kept
}

func (t *thread) sort() {
	for _, child := range t.children {
		child.sort()
	}
	sortThreads(t.children)
}

// joinSubjects is step 5: threads with one base subject become one.
func joinSubjects(roots []*thread) []*thread {
	table := make(map[string]*thread)
	for _, t := range roots {
		subject := t.subject()
		old := table[subject]
		if subject != "" && (old == nil || t.m == nil && old.m != nil || old.isReply() && !t.isReply()) {
			table[subject] = t
		}
	}
	var kept []*thread
	for _, t := range roots {
		with := table[t.subject()]
		if with == nil || with == t {
			kept = append(kept, t)
			continue
		}
		join(with, t)
	}
	return kept
}

// join puts t to the thread that has its subject.
func join(with, t *thread) {
	switch {
	case with.m == nil && t.m == nil:
		with.children = append(with.children, t.children...)
	case with.m == nil, t.isReply() && !with.isReply():
		with.children = append(with.children, t)
	default: // two of the same rank: both below one that is not there
		copied := *with
		*with = thread{children: []*thread{&copied, t}}
	}
}
