package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"mailguard/integration/imapconn"
)

// history is one mailbox from its making on, and all who use it.
type history struct {
	*rapid.T

	stage    *stage
	box      string
	mixed    bool // policy allows some and refuses others
	bypass   bool // folders are renamed past the guard, else through it
	model    *model
	direct   *imapconn.Conn // past the guard
	sessions []*session
	counts   map[string]int // sessions of each member so far
	script   []string
}

// members are those who come by IMAP; "" is whoever is not told apart.
var members = []string{"alice", "bob", ""}

// most are how many sessions a member has at once.
const most = 3

// begin makes a mailbox with some mail in it.
func (s *stage) begin(t *rapid.T) *history {
	s.boxes++
	s.histories++
	h := &history{
		T: t, stage: s, mixed: rapid.Bool().Draw(t, "mixed"), bypass: rapid.Bool().Draw(t, "renamed past the guard"),
		model: newModel(), counts: make(map[string]int),
	}
	h.box = map[bool]string{false: "all", true: "mix"}[h.mixed] + strconv.Itoa(s.boxes) + "@example.com"
	s.user(h.box)
	h.direct = h.dial(s.direct, h.box)
	for _, name := range []string{"Trash", "Archive"} {
		h.past("CREATE " + name)
	}
	for _, name := range []string{"INBOX", "Trash", "Archive"} {
		h.model.folders[name] = h.look(name)
	}
	for range rapid.IntRange(2, 8).Draw(t, "messages") {
		h.deliver("INBOX")
	}
	return h
}

func (h *history) dial(address, user string) *imapconn.Conn {
	c, err := imapconn.Dial(h.stage.tb.Context(), address, nil)
	if err == nil {
		c.Strict = true
		c.Timeout = patience
		err = c.LogIn(user, password)
	}
	if err != nil {
		h.fail("%s: %v", user, err)
	}
	return c
}

// end closes all that is open.
func (h *history) end() {
	for _, s := range h.sessions {
		_ = s.conn.Close()
	}
	_ = h.direct.Close()
}

// note adds a line to the script of the history.
func (h *history) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if front, message, has := strings.Cut(line, "+}\r\n"); has { // no more of a message than its subject
		_, subject, _ := strings.Cut(message, "Subject: ")
		subject, _, _ = strings.Cut(subject, "\r\n")
		line = front + "} " + subject
	}
	h.script = append(h.script, line)
}

func (h *history) heard(untagged []string, tagged string) {
	for _, r := range untagged {
		h.note("    %.160q", r)
	}
	if tagged != "" {
		h.note("    %.160q", tagged)
	}
}

// fail is a violation. The stage keeps the history, in case that it does not
// happen again.
func (h *history) fail(format string, args ...any) {
	h.T.Helper()
	what := fmt.Sprintf(format, args...)
	h.stage.lastWord = strings.Join(h.script, "\n") + "\n" + what
	h.T.Log("the history:\n" + strings.Join(h.script, "\n"))
	h.T.Fatal(what)
}

// past runs a command past the guard.
func (h *history) past(command string) []string {
	h.note("past the guard: %s", command)
	untagged, tagged, err := h.direct.Do(command)
	if err != nil || !strings.HasPrefix(tagged, "OK") {
		h.fail("past the guard: %.40q: %q, %v", command, tagged, err)
	}
	return append(untagged, tagged)
}

// look reads what an empty or renamed folder is called by numbers.
func (h *history) look(name string) *folder {
	items, ok := statusOf(strings.Join(h.past("STATUS "+name+" (UIDVALIDITY UIDNEXT)"), "\n"), name)
	if !ok {
		h.fail("no STATUS of %s", name)
	}
	return &folder{name: name, validity: items["UIDVALIDITY"], next: items["UIDNEXT"]}
}

// deliver puts a message into a folder past the guard.
func (h *history) deliver(name string) {
	f := h.model.folders[name]
	m := h.model.add(f, h.token(), h.class(), 0)
	tagged := h.past("APPEND " + name + " " + literal(m.text()))
	h.appended(f, m, tagged[len(tagged)-1])
	h.touched(f, nil)
}

// appended holds APPENDUID to the model.
func (h *history) appended(f *folder, m *message, tagged string) {
	want := fmt.Sprintf("[APPENDUID %d %d]", f.validity, m.uid)
	if !strings.Contains(tagged, want) {
		h.fail("APPEND to %s: %q, want %s", f.name, tagged, want)
	}
}

func (h *history) token() string {
	h.model.tokens++
	return "token-" + itoa(h.model.tokens)
}

func (h *history) class() class {
	if !h.mixed {
		return deferred
	}
	return rapid.SampledFrom([]class{deferred, deferred, allowed, refused}).Draw(h.T, "class")
}

// touched says that a folder is not as sessions other than by have seen it.
func (h *history) touched(f *folder, by *session) {
	for _, s := range h.sessions {
		if s != by && s.folder == f {
			s.dirty = true
		}
	}
}

// hide is that a member has deleted a message, in all of its sessions.
func (h *history) hide(who string, f *folder, uid uint32, by how) {
	h.model.hide(who, f, uid, by)
	h.stage.hidden++
	for _, s := range h.sessions {
		if s.who == who && s.folder == f {
			s.hidden[uid] = true
		}
	}
}

// remove is that a message is gone upstream; by is the member who deleted it, nil
// if it went past the guard.
func (h *history) remove(f *folder, uid uint32, by *session) {
	if by != nil {
		delete(h.model.person(by.who).undone, spot{f.place(), uid}) // who deletes it wants no copy
	}
	for who, copied := range h.model.remove(f, uid) {
		h.back(who, copied)
	}
}

// any draws a session.
func (h *history) any() *session {
	if len(h.sessions) == 0 {
		h.T.Skip("nobody is there")
	}
	return rapid.SampledFrom(h.sessions).Draw(h.T, "session")
}

// reader draws a session that has a folder open.
func (h *history) reader() *session {
	var list []*session
	for _, s := range h.sessions {
		if s.folder != nil {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		h.T.Skip("nobody reads")
	}
	return rapid.SampledFrom(list).Draw(h.T, "reader")
}

// folderName draws a folder that is there.
func (h *history) folderName(but string) string {
	var names []string
	for _, name := range h.names() {
		if name != but {
			names = append(names, name)
		}
	}
	return rapid.SampledFrom(names).Draw(h.T, "folder")
}

func (h *history) names() []string {
	var names []string
	for name := range h.model.folders {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// enter opens a session.
func (h *history) enter(who string) *session {
	h.counts[who]++
	user, name := h.box, "nobody"
	if who != "" {
		user, name = h.box+"#"+who, who
	}
	s := &session{h: h, who: who, name: name + "." + itoa(h.counts[who])}
	h.note("%s: logs in", s.name)
	s.conn = h.dial(h.stage.imap, user)
	h.stage.sessions++
	h.sessions = append(h.sessions, s)
	return s
}

// check holds all pictures to the model, but those of who is in IDLE.
func (h *history) check() {
	for _, s := range h.sessions {
		if s.idle == "" {
			s.sync()
		}
	}
}

// checkStored holds what is upstream to the model: what policy did not allow to
// go is there.
func (h *history) checkStored(f *folder) {
	h.past("EXAMINE " + f.name)
	var got, want []string
	if len(f.messages) > 0 {
		for _, r := range h.past("UID FETCH 1:* (UID FLAGS)") {
			if found := numbered.FindStringSubmatch(r); found != nil && found[2] == "FETCH (" {
				words := strings.Fields(flagsItem.FindStringSubmatch(found[3])[1])
				words = slices.DeleteFunc(words, func(w string) bool { return w == `\Deleted` }) // from past the guard
				got = append(got, uidItem.FindStringSubmatch(found[3])[1]+" "+flagsOf(words))
			}
		}
	}
	for _, m := range f.messages {
		want = append(want, utoa(m.uid)+" "+m.flags.String())
	}
	if !slices.Equal(got, want) {
		h.fail("in %s are upstream %q, and should be %q", f.name, got, want)
	}
}

// checkAll is the end of a history: everything, and what a new session sees.
func (h *history) checkAll() {
	for _, s := range h.sessions {
		s.wake()
		s.sync()
	}
	for _, name := range h.names() {
		h.checkStored(h.model.folders[name])
	}
	for _, who := range members {
		s := h.enter(who)
		for _, name := range h.names() {
			s.open(name, true)
			if len(s.view()) > 0 {
				s.must(act{command: "UID FETCH 1:* (UID FLAGS)"})
				s.compare()
			}
		}
	}
	h.checkPOP3()
}

func itoa(n int) string { return strconv.Itoa(n) }

func utoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func literal(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }
