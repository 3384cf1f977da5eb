package views

import (
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// targets are messages as one command names them.
type targets struct {
	uid  bool
	set  set
	uids []uint32 // those that are meant
}

// command spells a command about them.
func (t targets) command(verb, rest string) string {
	if t.uid {
		verb = "UID " + verb
	}
	return strings.TrimSuffix(verb+" "+t.set.String()+" "+rest, " ")
}

// target draws some of what the session's client sees.
func (s *session) target(star bool) targets {
	s.wake() // "*" is what it hears by that
	if slices.Contains(s.names, 0) {
		s.sync()
	}
	t := targets{uid: len(s.names) == 0 || rapid.Bool().Draw(s.h.T, "by UID")}
	most, last := uint32(len(s.names)), uint32(len(s.names))
	if t.uid {
		most, last = s.folder.next+1, 0
		if len(s.names) > 0 {
			last = s.names[len(s.names)-1]
		}
	}
	t.set = drawSet(s.h.T, most, star)
	for i, uid := range s.names {
		if n := uint32(i + 1); t.uid && t.set.has(uid, last) || !t.uid && t.set.has(n, last) {
			t.uids = append(t.uids, uid)
		}
	}
	return t
}

// there are those of the messages that the member still has.
func (s *session) there(uids []uint32) (list []*message) {
	for _, m := range s.view() {
		if slices.Contains(uids, m.uid) {
			list = append(list, m)
		}
	}
	return list
}

func (h *history) store() {
	s := h.reader()
	s.settle()
	if s.readOnly && !h.allowReadOnly() {
		return
	}
	s.do(s.storing(s.target(true)))
}

// allowReadOnly lets a change in a folder opened by EXAMINE through now and then.
func (h *history) allowReadOnly() bool { return rapid.IntRange(0, 3).Draw(h.T, "all the same") == 0 }

// storing draws a STORE.
func (s *session) storing(t targets) act {
	op := rapid.SampledFrom([]string{"+FLAGS", "-FLAGS", "FLAGS"}).Draw(s.h.T, "op")
	fl := flags(rapid.SampledFrom([]flags{deleted, deleted, deleted, seen, flagged, answered, deleted | seen, seen | flagged, deleted | flagged | answered}).Draw(s.h.T, "flags"))
	silent := rapid.Bool().Draw(s.h.T, "silent")
	return s.storeOf(t, op, fl, silent)
}

func (s *session) storeOf(t targets, op string, fl flags, silent bool) act {
	item := op
	if silent {
		item += ".SILENT"
	}
	return act{t.command("STORE", item+" ("+strings.Join(fl.names(), " ")+")"), func(_ []string, tagged string) {
		list := s.there(t.uids)
		if s.readOnly {
			return
		}
		refusals := 0
		for _, m := range list {
			if !s.stored(m, op, fl) {
				refusals++
			}
			s.picture.forget(m.uid)
		}
		if ok := strings.HasPrefix(tagged, "OK"); ok != (refusals == 0) {
			s.h.fail("%s: STORE of %d messages, %d to be refused: %s", s.name, len(list), refusals, tagged)
		}
		s.h.touched(s.folder, s)
	}}
}

// stored changes one message's flags. It returns no if the mark is refused.
func (s *session) stored(m *message, op string, fl flags) bool {
	at, marks := spot{s.folder.place(), m.uid}, s.h.model.person(s.who).marks
	others, mark := fl&^deleted, fl&deleted != 0
	switch op {
	case "+FLAGS":
		m.flags |= others
	case "-FLAGS":
		m.flags &^= others
	default:
		m.flags = others
	}
	switch {
	case mark && op != "-FLAGS":
		if s.h.model.verdict(m) == refused {
			return false
		}
		marks[at] = true
	case mark || op == "FLAGS":
		delete(marks, at)
	}
	return true
}

func (h *history) expunge() {
	s := h.reader()
	s.settle()
	if s.readOnly && !h.allowReadOnly() {
		return
	}
	s.do(s.expunging())
}

// expunging draws EXPUNGE or UID EXPUNGE.
func (s *session) expunging() act {
	if s.h.model.owes() {
		s.h.mayComeBack()
	}
	command, in := "EXPUNGE", func(uint32) bool { return true }
	if rapid.IntRange(0, 2).Draw(s.h.T, "some") == 0 {
		t := s.target(true)
		for !t.uid {
			t = targets{uid: true, set: set{{first: 1}}, uids: s.names}
		}
		uids := slices.Clone(t.uids)
		command, in = t.command("EXPUNGE", ""), func(uid uint32) bool { return slices.Contains(uids, uid) }
	}
	return act{command, func(_ []string, tagged string) {
		if ok := strings.HasPrefix(tagged, "OK"); ok == s.readOnly {
			s.h.fail("%s: %s: %s", s.name, command, tagged)
		}
		if !s.readOnly {
			s.expunged(in)
		}
	}}
}

// expunged is what EXPUNGE and CLOSE do.
func (s *session) expunged(in func(uid uint32) bool) {
	p := s.h.model.person(s.who)
	for _, m := range slices.Clone(s.folder.messages) {
		at := spot{s.folder.place(), m.uid}
		if !p.marks[at] || !in(m.uid) {
			continue
		}
		switch s.h.model.verdict(m) {
		case allowed:
			s.h.remove(s.folder, m.uid, s)
		case refused:
			delete(p.marks, at)
		default:
			s.h.hide(s.who, s.folder, m.uid, s.h.model.expunge(s.who, at))
		}
	}
	s.h.touched(s.folder, s)
}

func (h *history) close() {
	s := h.reader()
	s.settle()
	if h.model.owes() {
		h.mayComeBack()
	}
	command := rapid.SampledFrom([]string{"CLOSE", "UNSELECT"}).Draw(h.T, "command")
	s.must(act{command, func([]string, string) {
		if command == "CLOSE" && !s.readOnly {
			s.expunged(func(uint32) bool { return true })
		}
		s.leave()
		s.picture.selecting()
	}})
}

// markAndExpunge is how most clients delete.
func (h *history) markAndExpunge() {
	s := h.reader()
	s.settle()
	if s.readOnly {
		h.T.Skip("for reading only")
	}
	s.do(s.storeOf(s.target(true), "+FLAGS", deleted|seen, true))
	s.do(s.expunging())
}

// together sends several commands at once, by UIDs: message numbers may change
// on the way.
func (h *history) together() {
	s := h.reader()
	s.settle()
	if s.readOnly {
		h.T.Skip("for reading only")
	}
	if h.model.owes() {
		h.mayComeBack()
	}
	var acts []act
	searched := false // the strict client cannot tell to which of two searches an answer is
	for range rapid.IntRange(2, 5).Draw(h.T, "commands") {
		switch n := rapid.IntRange(0, 5).Draw(h.T, "command"); {
		case n < 2:
			acts = append(acts, s.storing(s.byUID()))
		case n == 2:
			acts = append(acts, act{"EXPUNGE", func([]string, string) { s.expunged(func(uint32) bool { return true }) }})
		case n == 3:
			acts = append(acts, act{command: "UID FETCH 1:* (FLAGS)"})
		case n == 4 && !searched:
			searched = true
			acts = append(acts, act{command: "UID SEARCH " + rapid.SampledFrom([]string{"ALL", "DELETED", "UNSEEN", "RETURN (COUNT) ALL"}).Draw(h.T, "key")})
		default:
			acts = append(acts, act{command: "NOOP"})
		}
	}
	s.pipeline(acts)
	s.dirty = true
}

// byUID draws messages by UIDs, without "*", which may mean another message
// when its turn comes.
func (s *session) byUID() targets {
	t := targets{uid: true, set: drawSet(s.h.T, s.folder.next+1, false)}
	for _, uid := range s.names {
		if t.set.has(uid, 0) {
			t.uids = append(t.uids, uid)
		}
	}
	return t
}

func (h *history) append() {
	s := h.any()
	f := h.model.folders[h.folderName("")]
	fl := rapid.SampledFrom([]flags{0, seen, seen | deleted, flagged | deleted}).Draw(h.T, "flags")
	c := h.class()
	m := &message{token: h.token(), class: c}
	s.must(act{"APPEND " + f.name + " (" + strings.Join(fl.names(), " ") + ") " + literal(m.text()), func(_ []string, tagged string) {
		added := h.model.add(f, m.token, c, fl&^deleted)
		h.appended(f, added, tagged)
		h.touched(f, nil)
	}})
}
