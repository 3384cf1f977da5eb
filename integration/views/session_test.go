package views

import (
	"slices"
	"strings"

	"mailguard/integration/imapconn"
)

// session is a client of one member. Its picture is made of what it hears; what
// stands beside it is how the test knows what it should have heard.
type session struct {
	h        *history
	name     string // alice.1
	who      string
	conn     *imapconn.Conn
	picture  picture
	folder   *folder // that it has open, or nil
	readOnly bool
	hidden   map[uint32]bool // does not come back before the next SELECT
	names    []uint32        // the UIDs behind the picture's numbers; 0 not settled
	dirty    bool            // somebody else has changed something since the last sync
	idle     string          // the tag of the IDLE that it is in
	tags     int
}

// view is what the session's client should see.
func (s *session) view() (list []*message) {
	for _, m := range s.folder.messages {
		if !s.hidden[m.uid] {
			list = append(list, m)
		}
	}
	return list
}

func (s *session) flagsOf(m *message) flags { return s.h.model.flagsFor(s.who, s.folder, m) }

// act is one command and what it does in the model.
type act struct {
	command string
	apply   func(untagged []string, tagged string)
}

// do runs one command: first the model follows, then the picture.
func (s *session) do(a act) (untagged []string, tagged string) {
	s.wake()
	s.h.note("%s: %s", s.name, a.command)
	s.h.stage.command()
	untagged, tagged, err := s.conn.Do(a.command)
	s.h.heard(untagged, tagged)
	if err != nil {
		s.h.fail("%s: %s: %v", s.name, a.command, err)
	}
	if a.apply != nil {
		a.apply(untagged, tagged)
	}
	s.hear(untagged)
	return untagged, tagged
}

// must is do that has to be OK.
func (s *session) must(a act) []string {
	untagged, tagged := s.do(a)
	if !strings.HasPrefix(tagged, "OK") {
		s.h.fail("%s: %s: %s", s.name, a.command, tagged)
	}
	return untagged
}

// pipeline sends several commands at once. The model follows in their order.
func (s *session) pipeline(acts []act) {
	s.wake()
	var raw strings.Builder
	answers := make(map[string]string)
	tags := make([]string, len(acts))
	for i, a := range acts {
		s.tags++
		tags[i] = "p" + itoa(s.tags)
		answers[tags[i]] = ""
		raw.WriteString(tags[i] + " " + a.command + "\r\n")
		s.h.note("%s: (with the next) %s", s.name, a.command)
		s.h.stage.command()
	}
	if err := s.conn.Send(raw.String()); err != nil {
		s.h.fail("%s: %v", s.name, err)
	}
	var untagged []string
	for left := len(acts); left > 0; {
		response, err := s.conn.Response()
		s.h.heard([]string{response}, "")
		if err != nil {
			s.h.fail("%s: pipelined: %v", s.name, err)
		}
		tag, rest, _ := strings.Cut(response, " ")
		if _, ours := answers[tag]; ours {
			answers[tag] = rest
			left--
			continue
		}
		untagged = append(untagged, response)
	}
	for i, a := range acts {
		if a.apply != nil {
			a.apply(untagged, answers[tags[i]])
		}
	}
	s.hear(untagged)
	if strings.Contains(raw.String(), ".SILENT") { // before or behind a FETCH that was heard
		s.picture.forgetAll()
	}
}

// hear takes responses into the picture, and looks whether each fits what the
// model knows already.
func (s *session) hear(responses []string) {
	for _, r := range responses {
		e, err := s.picture.hear(r)
		if err != nil {
			s.h.fail("%s hears %.200q: %v", s.name, r, err)
		}
		switch e.kind {
		case "EXISTS":
			s.names = append(s.names, make([]uint32, e.n)...)
		case "EXPUNGE":
			s.heardExpunge(e)
		case "FETCH":
			s.heardFetch(e)
		}
	}
}

func (s *session) heardExpunge(e event) {
	uid := s.names[e.n-1]
	s.names = slices.Delete(s.names, e.n-1, e.n)
	if uid != 0 && s.folder.find(uid) != nil && !s.hidden[uid] {
		s.h.fail("%s is told that message %d is gone: its UID is %d, and it should see it", s.name, e.n, uid)
	}
}

func (s *session) heardFetch(e event) {
	if uid := s.names[e.n-1]; uid != 0 && e.uid != 0 && uid != e.uid {
		s.h.fail("%s: message %d has the UID %d, and should have %d", s.name, e.n, e.uid, uid)
	}
	s.names[e.n-1] = max(s.names[e.n-1], e.uid)
	m := s.folder.find(s.names[e.n-1])
	if _, subject, has := strings.Cut(e.text, "Subject: "); has && m != nil {
		if token, _, _ := strings.Cut(subject, "\r\n"); token != m.token {
			s.h.fail("%s: message %d, UID %d, is %q, and should be %q", s.name, e.n, m.uid, token, m.token)
		}
	}
}

// sync gives the server leave to tell everything, and compares.
func (s *session) sync() {
	if s.folder == nil {
		return
	}
	s.must(act{command: "NOOP"})
	s.compare()
}

// compare holds the picture to the model.
func (s *session) compare() {
	view := s.view()
	s.h.stage.pictures++
	if len(s.picture.uids) != len(view) {
		s.h.fail("%s counts %d messages (%v), and should see %d: %v", s.name, len(s.picture.uids), s.names, len(view), uidsOf(view))
	}
	for i, m := range view {
		if known := s.names[i]; known != 0 && known != m.uid {
			s.h.fail("%s has UID %d as message %d, which should be %d", s.name, known, i+1, m.uid)
		}
		s.names[i] = m.uid
		if got, want := s.picture.flags[i], s.flagsOf(m).String(); got != unknownFlags && got != want {
			s.h.fail("%s sees the flags (%s) on message %d, UID %d, and should see (%s)", s.name, got, i+1, m.uid, want)
		}
	}
	s.dirty = false
}

func uidsOf(list []*message) (uids []uint32) {
	for _, m := range list {
		uids = append(uids, m.uid)
	}
	return uids
}

// settle makes sure that the picture is of now.
func (s *session) settle() {
	if s.dirty || s.idle != "" {
		s.sync()
	}
}

// sleep begins IDLE.
func (s *session) sleep() {
	s.tags++
	s.idle = "i" + itoa(s.tags)
	s.h.note("%s: IDLE", s.name)
	s.h.stage.command()
	if err := s.conn.Send(s.idle + " IDLE\r\n"); err != nil {
		s.h.fail("%s: IDLE: %v", s.name, err)
	}
	for {
		response, err := s.conn.Response()
		s.h.heard([]string{response}, "")
		if err != nil || strings.HasPrefix(response, s.idle) {
			s.h.fail("%s: IDLE: %q, %v", s.name, response, err)
		}
		if strings.HasPrefix(response, "+") {
			return
		}
		s.hear([]string{response})
	}
}

// wake ends IDLE.
func (s *session) wake() {
	if s.idle == "" {
		return
	}
	tag := s.idle
	s.idle = ""
	s.dirty = true
	s.h.note("%s: DONE", s.name)
	if err := s.conn.Send("DONE\r\n"); err != nil {
		s.h.fail("%s: DONE: %v", s.name, err)
	}
	untagged, tagged, err := s.conn.Wait(tag)
	s.h.heard(untagged, tagged)
	if err != nil || !strings.HasPrefix(tagged, "OK") {
		s.h.fail("%s: DONE: %q, %v", s.name, tagged, err)
	}
	s.hear(untagged)
}

// open is SELECT or EXAMINE. Its answer must be right at once.
func (s *session) open(name string, readOnly bool) {
	verb := "SELECT "
	if readOnly {
		verb = "EXAMINE "
	}
	s.wake()
	s.leave()
	f := s.h.model.folders[name]
	var back map[string]spot
	opened := func(_ []string, tagged string) {
		s.picture.selecting()
		if f == nil || !strings.HasPrefix(tagged, "OK") {
			return
		}
		back = s.h.model.lookedFor(s.who, f)
		s.folder, s.readOnly, s.hidden = f, readOnly, make(map[uint32]bool)
		for at := range s.h.model.person(s.who).hidden {
			if at.place == f.place() {
				s.hidden[at.uid] = true
			}
		}
	}
	_, tagged := s.do(act{verb + name, opened})
	if (f != nil) != strings.HasPrefix(tagged, "OK") {
		s.h.fail("%s: %s%s: %s", s.name, verb, name, tagged)
	}
	for who, copied := range back {
		s.h.back(who, copied)
	}
	if f != nil {
		s.compare()
		s.compareOpened()
	}
}

func (s *session) compareOpened() {
	first := slices.IndexFunc(s.view(), func(m *message) bool { return m.flags&seen == 0 }) + 1
	got := []int{int(s.picture.validity), int(s.picture.next), s.picture.unseen}
	want := []int{int(s.folder.validity), int(s.folder.next), first}
	if !slices.Equal(got, want) {
		s.h.fail("%s: UIDVALIDITY, UIDNEXT and UNSEEN are %d, and should be %d", s.name, got, want)
	}
}

// leave forgets the folder.
func (s *session) leave() { s.folder, s.names, s.dirty = nil, nil, false }
