package views

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

func (h *history) open() {
	who := rapid.SampledFrom(members).Draw(h.T, "member")
	n := 0
	for _, s := range h.sessions {
		if s.who == who {
			n++
		}
	}
	if n >= most {
		h.T.Skip("enough")
	}
	h.choose(h.enter(who))
}

func (h *history) choose(s *session) {
	name := h.folderName("")
	if rapid.Bool().Draw(h.T, "the inbox") {
		name = "INBOX"
	}
	s.open(name, rapid.IntRange(0, 5).Draw(h.T, "read-only") == 0)
	if len(s.names) > 0 && rapid.IntRange(0, 3).Draw(h.T, "synchronises") > 0 {
		s.must(act{command: "UID FETCH 1:* (UID FLAGS)"})
		s.compare()
	}
}

func (h *history) selects() { h.choose(h.any()) }

func (h *history) leave() {
	s := h.any()
	if rapid.Bool().Draw(h.T, "politely") {
		s.must(act{command: "LOGOUT"})
	} else {
		s.h.note("%s: is gone", s.name)
	}
	_ = s.conn.Close()
	h.sessions = slices.DeleteFunc(h.sessions, func(other *session) bool { return other == s })
}

func (h *history) noop() { h.reader().sync() }

func (h *history) sleeps() {
	if s := h.reader(); s.idle == "" {
		s.sleep()
	}
}

func (h *history) fetch() {
	s := h.reader()
	item := rapid.SampledFrom([]string{"(UID FLAGS)", "FLAGS", "(FLAGS UID RFC822.SIZE)", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "(UID BODY.PEEK[]<0.70>)", "BODY[HEADER.FIELDS (SUBJECT)]"}).Draw(h.T, "items")
	sets := strings.HasPrefix(item, "BODY[") && !s.readOnly
	if sets { // what has come or gone, and was not told, may be read by it, or not
		s.settle()
	} else {
		s.maybeSettle()
	}
	t := s.target(true)
	clean := !s.dirty
	untagged, tagged := s.do(act{t.command("FETCH", item), func([]string, string) {
		if sets {
			for _, m := range s.there(t.uids) {
				m.flags |= seen
				s.picture.forget(m.uid)
			}
			h.touched(s.folder, s)
		}
	}})
	if clean {
		s.fetched(t, untagged, tagged)
	}
}

// maybeSettle lets a session read while it does not know of all that others did.
func (s *session) maybeSettle() {
	if rapid.Bool().Draw(s.h.T, "first looks") {
		s.settle()
	}
}

// fetched holds the answer to a FETCH in a folder at rest to the model: all
// that was asked for comes.
func (s *session) fetched(t targets, untagged []string, tagged string) {
	got := make(map[uint32]bool)
	for _, r := range untagged {
		if found := numbered.FindStringSubmatch(r); found != nil && found[2] == "FETCH (" {
			got[s.names[number(found[1])-1]] = true
		}
	}
	for _, uid := range t.uids {
		if !got[uid] {
			s.h.fail("%s: FETCH says nothing of %d", s.name, uid)
		}
	}
	if !strings.HasPrefix(tagged, "OK") {
		s.h.fail("%s: FETCH: %s", s.name, tagged)
	}
}

// beyond names messages that are not there by number: the answer is BAD, or
// that there is nothing.
func (h *history) beyond() {
	s := h.reader()
	s.settle()
	verb := rapid.SampledFrom([]string{"FETCH %s FLAGS", "STORE %s +FLAGS (\\Flagged)", "COPY %s Trash", "MOVE %s Trash"}).Draw(h.T, "command")
	if h.model.folders["Trash"] == s.folder && strings.HasPrefix(verb, "MOVE") {
		h.T.Skip("from Trash to Trash")
	}
	_, tagged := s.do(act{command: fmt.Sprintf(verb, utoa(uint32(len(s.names)+rapid.IntRange(1, 3).Draw(h.T, "beyond"))))})
	if strings.HasPrefix(tagged, "OK") && !strings.Contains(tagged, "No messages") && !strings.HasPrefix(verb, "FETCH") {
		h.note("accepted")
	}
}

// Dovecot 2.3.19 takes a message for found by OR UNANSWERED UNSEEN only if it is
// not seen, whatever stands first: it makes one key of two that ask for flags not
// to be set. Nobody asks for that here, nor for what it makes of NOT (SEEN FLAGGED).
var (
	notFlag  = regexp.MustCompile(`^(UN(SEEN|ANSWERED|FLAGGED)|NOT (SEEN|ANSWERED|FLAGGED))$`)
	twoFlags = regexp.MustCompile(`^\((SEEN|FLAGGED) (SEEN|FLAGGED)\)$`)
)

// key is a search key and which messages it finds.
type key struct {
	text  string
	finds func(i int, m *message) bool
}

func (s *session) key(depth int) key {
	t := s.h.T
	is := func(text string, f flags, want bool) key {
		return key{text, func(_ int, m *message) bool { return (s.flagsOf(m)&f != 0) == want }}
	}
	switch kind := rapid.IntRange(0, 9).Draw(t, "key"); {
	case kind == 0 && depth > 0:
		k := s.key(depth - 1)
		if twoFlags.MatchString(k.text) {
			return k
		}
		return key{"NOT " + k.text, func(i int, m *message) bool { return !k.finds(i, m) }}
	case kind == 1 && depth > 0:
		a, b := s.key(depth-1), s.key(depth-1)
		if notFlag.MatchString(a.text) && notFlag.MatchString(b.text) {
			return a
		}
		return key{"OR " + a.text + " " + b.text, func(i int, m *message) bool { return a.finds(i, m) || b.finds(i, m) }}
	case kind == 2 && depth > 0:
		a, b := s.key(depth-1), s.key(depth-1)
		return key{"(" + a.text + " " + b.text + ")", func(i int, m *message) bool { return a.finds(i, m) && b.finds(i, m) }}
	case kind <= 5 && len(s.names) > 0:
		set, last := drawSet(t, uint32(len(s.names)), true), uint32(len(s.names))
		return key{set.String(), func(i int, _ *message) bool { return set.has(uint32(i+1), last) }}
	case kind <= 7 && len(s.names) > 0:
		set, last := drawSet(t, s.folder.next+1, true), s.names[len(s.names)-1]
		return key{"UID " + set.String(), func(_ int, m *message) bool { return set.has(m.uid, last) }}
	}
	return rapid.SampledFrom([]key{
		{"ALL", func(int, *message) bool { return true }},
		is("DELETED", deleted, true), is("UNDELETED", deleted, false), is("SEEN", seen, true), is("UNSEEN", seen, false),
		is("FLAGGED", flagged, true), is("UNANSWERED", answered, false), {"LARGER 600", func(_ int, m *message) bool { return m.class == deferred }},
	}).Draw(t, "simple key")
}

func (h *history) search() {
	s := h.reader()
	s.settle()
	if slices.Contains(s.names, 0) {
		s.sync()
	}
	k, uid := s.key(2), rapid.Bool().Draw(h.T, "by UID")
	returns := rapid.SampledFrom([]string{"", "", "()", "(MIN)", "(MAX)", "(COUNT)", "(ALL)", "(MIN MAX)", "(MIN MAX COUNT ALL)", "(COUNT MIN)"}).Draw(h.T, "return")
	var want []uint32
	for i, m := range s.view() {
		if k.finds(i, m) {
			want = append(want, map[bool]uint32{false: uint32(i + 1), true: m.uid}[uid])
		}
	}
	command := "SEARCH " + k.text
	if returns != "" {
		command = "SEARCH RETURN " + returns + " " + k.text
	}
	if uid {
		command = "UID " + command
	}
	untagged := s.must(act{command: command})
	if got := searched(untagged, returns); got != found(want, returns) {
		h.fail("%s: %s: found %s, and should find %s", s.name, command, got, found(want, returns))
	}
}

// searched is what SEARCH or ESEARCH says, in one spelling.
func searched(untagged []string, returns string) string {
	for _, r := range untagged {
		if rest, ok := strings.CutPrefix(r, "* SEARCH"); ok && returns == "" {
			return strings.TrimSpace(rest)
		}
		rest, ok := strings.CutPrefix(r, "* ESEARCH ")
		if !ok || returns == "" {
			continue
		}
		words := strings.Fields(rest[strings.Index(rest, ")")+1:])
		var parts []string
		for i := 0; i < len(words); i++ {
			if words[i] == "UID" {
				continue
			}
			value := words[i+1]
			if words[i] == "ALL" {
				list, err := expand(value)
				if err != nil {
					return err.Error()
				}
				value = join(list)
			}
			parts = append(parts, words[i]+"="+value)
			i++
		}
		slices.Sort(parts)
		return strings.Join(parts, " ")
	}
	return "no answer"
}

// found is what should be said of these.
func found(list []uint32, returns string) string {
	if returns == "" {
		return strings.ReplaceAll(join(list), ",", " ")
	}
	if returns == "()" { // RFC 4731, 3.1
		returns = "(ALL)"
	}
	var parts []string
	for word := range strings.FieldsSeq(strings.Trim(returns, "()")) {
		switch {
		case word == "COUNT":
			parts = append(parts, "COUNT="+itoa(len(list)))
		case len(list) == 0:
		case word == "MIN":
			parts = append(parts, "MIN="+utoa(list[0]))
		case word == "MAX":
			parts = append(parts, "MAX="+utoa(list[len(list)-1]))
		default:
			parts = append(parts, "ALL="+join(list))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func join(list []uint32) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = utoa(n)
	}
	return strings.Join(words, ",")
}

// sorted is SORT or THREAD, where the upstream has them: each message that is
// found is named once.
func (h *history) sorted() {
	s := h.reader()
	if !h.stage.sorts {
		h.T.Skip("the upstream cannot sort")
	}
	s.settle()
	if slices.Contains(s.names, 0) {
		s.sync()
	}
	k, uid := s.key(1), rapid.Bool().Draw(h.T, "by UID")
	command := rapid.SampledFrom([]string{"SORT (REVERSE SUBJECT)", "SORT (ARRIVAL)", "THREAD REFERENCES", "THREAD ORDEREDSUBJECT"}).Draw(h.T, "command") + " US-ASCII " + k.text
	if uid {
		command = "UID " + command
	}
	var want, got []uint32
	for i, m := range s.view() {
		if k.finds(i, m) {
			want = append(want, map[bool]uint32{false: uint32(i + 1), true: m.uid}[uid])
		}
	}
	answered := false
	for _, r := range s.must(act{command: command}) {
		rest, isSort := strings.CutPrefix(r, "* SORT")
		if !isSort {
			if rest, isSort = strings.CutPrefix(r, "* THREAD"); !isSort {
				continue
			}
		}
		answered = true
		for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(" ()", r) }) {
			n, _ := strconv.ParseUint(word, 10, 32)
			got = append(got, uint32(n))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !answered || !slices.Equal(got, want) {
		h.fail("%s: %s: found %v (an answer: %v), and should find %v", s.name, command, got, answered, want)
	}
}
