package pop3

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is what must hold of one mailbox that alice, bob and, in some runs,
// somebody unknown use: what each of them sees, and what may be missing
// upstream. It is simple enough to be seen to be right.
type model struct {
	t   *rapid.T
	w   *world
	box string

	all      []string                   // every unique-id that ever was, in order
	gone     map[string]bool            // no longer upstream
	deleted  map[string]map[string]bool // by member and unique-id: QUIT said so
	done     map[string]map[string]bool // by member and unique-id: deleted, or left alone
	fetched  map[string]map[string]int  // by member and unique-id: in which step
	unknown  bool                       // somebody unknown has used the mailbox
	step     int
	sessions []*modelSession
}

// modelSession is one open session as the model sees it.
type modelSession struct {
	*client

	who     string
	opened  int      // in which step
	view    []string // unique-ids by number-1
	pending map[string]bool
	touched map[string]bool
	listed  bool
	last    string // what RETR brought with the last command: not confirmed yet
}

func newModel(t *rapid.T, w *world, box string) *model {
	m := &model{t: t, w: w, box: w.box(box), gone: make(map[string]bool)}
	m.deleted, m.done, m.fetched = make(map[string]map[string]bool), make(map[string]map[string]bool), make(map[string]map[string]int)
	for _, who := range []string{"alice", "bob", ""} {
		m.deleted[who], m.done[who], m.fetched[who] = make(map[string]bool), make(map[string]bool), make(map[string]int)
	}
	for range 3 {
		m.deliver()
	}
	return m
}

func (m *model) deliver() {
	m.w.upstream.Deliver(m.box, mail(len(m.all)+1, 100+len(m.all)))
	m.all = append(m.all, fmt.Sprintf("u%d", len(m.all)+1))
}

// text is a message as it was delivered.
func (m *model) text(id string) string {
	n := slices.Index(m.all, id)
	return string(mail(n+1, 100+n))
}

// open logs in, and compares what is listed with what is to be seen.
func (m *model) open(who string) *modelSession {
	m.unknown = m.unknown || who == ""
	s := &modelSession{who: who, opened: m.step, pending: make(map[string]bool), touched: make(map[string]bool)}
	s.client = m.w.in(m.t).connect()
	s.line()
	login := m.box
	if who != "" {
		login += "#" + who
	}
	s.say("USER "+login, "+OK*")
	s.say("PASS "+password, "+OK*")
	size := 0
	for n, id := range m.all {
		if !m.gone[id] && !m.deleted[who][id] {
			s.view = append(s.view, id)
			size += 100 + n
		}
	}
	s.say("STAT", fmt.Sprintf("+OK %d %d", len(s.view), size))
	m.sessions = append(m.sessions, s)
	return s
}

// draw picks an open session.
func (m *model) draw() (int, *modelSession) {
	if len(m.sessions) == 0 {
		m.t.Skip("no session")
	}
	i := rapid.IntRange(0, len(m.sessions)-1).Draw(m.t, "session")
	return i, m.sessions[i]
}

// command notes that a command is read: what was sent before it has arrived.
func (m *model) command(s *modelSession) {
	if s.last != "" {
		if _, before := m.fetched[s.who][s.last]; !before {
			m.fetched[s.who][s.last] = m.step
		}
		s.last = ""
	}
}

// drawNumber picks a message that the session still has.
func (m *model) drawNumber(s *modelSession) int {
	if len(s.view) == 0 {
		m.t.Skip("no message")
	}
	return rapid.IntRange(1, len(s.view)).Draw(m.t, "number")
}

func (m *model) list() {
	_, s := m.draw()
	m.command(s)
	var want []string
	for i, id := range s.view {
		if !s.pending[id] {
			want = append(want, fmt.Sprintf("%d %s", i+1, id))
		}
	}
	s.say("UIDL", append(append([]string{"+OK*"}, want...), ".")...)
	s.listed = true
}

func (m *model) fetch() {
	_, s := m.draw()
	n := m.drawNumber(s)
	m.fetchNumber(s, n)
}

func (m *model) fetchNumber(s *modelSession, n int) {
	id := s.view[n-1]
	m.command(s)
	s.touched[id] = true
	command := fmt.Sprintf("RETR %d", n)
	if s.pending[id] || m.gone[id] {
		s.say(command, "-ERR*")
		return
	}
	if got := s.message(command); got != m.text(id) {
		m.t.Fatalf("%s brought %q, not %s", command, got, id)
	}
	s.last = id
}

func (m *model) delete() {
	_, s := m.draw()
	n := m.drawNumber(s)
	m.deleteNumber(s, n)
}

func (m *model) deleteNumber(s *modelSession, n int) {
	id := s.view[n-1]
	m.command(s)
	s.touched[id] = true
	if s.pending[id] {
		s.say(fmt.Sprintf("DELE %d", n), "-ERR*")
		return
	}
	s.say(fmt.Sprintf("DELE %d", n), "+OK*")
	s.pending[id] = true
}

func (m *model) reset() {
	_, s := m.draw()
	m.command(s)
	s.say("RSET", "+OK*")
	clear(s.pending)
}

func (m *model) quit() {
	_, s := m.draw()
	m.quitSession(s)
}

func (m *model) quitSession(s *modelSession) {
	m.command(s)
	for _, id := range s.view {
		at, fetched := m.fetched[s.who][id]
		if s.pending[id] {
			m.deleted[s.who][id], m.done[s.who][id] = true, true
		} else if s.listed && !s.touched[id] && fetched && at < s.opened {
			m.done[s.who][id] = true
		}
	}
	s.say("QUIT", "+OK*")
	s.remainder()
	m.sessions = slices.DeleteFunc(m.sessions, func(x *modelSession) bool { return x == s })
}

// visit is what most clients do: fetch what is there, delete it or not, quit.
func (m *model) visit(who string) {
	s := m.open(who)
	s.listed = true
	s.list("UIDL")
	for n := 1; n <= len(s.view); n++ {
		switch rapid.SampledFrom([]string{"fetch", "take", "leave"}).Draw(m.t, "what to do") {
		case "fetch":
			m.fetchNumber(s, n)
		case "take":
			m.fetchNumber(s, n)
			m.deleteNumber(s, n)
		}
	}
	m.quitSession(s)
}

func (m *model) lose() {
	i, s := m.draw()
	s.drop()
	m.sessions = slices.Delete(m.sessions, i, i+1)
}

func (m *model) removeUpstream() {
	id := rapid.SampledFrom(m.all).Draw(m.t, "message")
	m.w.upstream.Remove(m.box, id)
	m.gone[id] = true
}

// check is the promise: what is missing upstream was taken by somebody past
// the guard, or both are done with it and nobody unknown is about.
func (m *model) check(*rapid.T) {
	m.step++
	there := m.w.upstream.UniqueIDs(m.box)
	for _, id := range m.all {
		if m.gone[id] || slices.Contains(there, id) {
			continue
		}
		if m.unknown || !m.done["alice"][id] || !m.done["bob"][id] {
			m.t.Fatalf("%s is missing: alice is done: %v, bob: %v, somebody unknown: %v",
				id, m.done["alice"][id], m.done["bob"][id], m.unknown)
		}
		m.gone[id] = true
	}
	for _, id := range there {
		if m.gone[id] {
			m.t.Fatalf("%s is back", id)
		}
	}
}

// end lets everybody go, and looks whether what everyone deleted goes, too.
func (m *model) end() {
	for _, s := range m.sessions {
		s.drop()
	}
	m.sessions = nil
	m.w.settle()
	m.open("alice")
	s := m.sessions[0]
	s.say("QUIT", "+OK*")
	m.check(nil)
	for _, id := range m.all {
		if !m.unknown && !m.gone[id] && m.deleted["alice"][id] && m.deleted["bob"][id] {
			m.t.Fatalf("%s is still there, and both have deleted it", id)
		}
	}
}

func TestSessionsAgainstModel(t *testing.T) {
	w := newWorld(t)
	runs := 0
	history := func(t *rapid.T) {
		runs++
		m := newModel(t, w, fmt.Sprintf("pair%d@example.com", runs))
		members := []string{"alice", "bob", "alice", "bob", ""}
		if rapid.Bool().Draw(t, "nobody unknown") {
			members = members[:4]
		}
		open := func(t *rapid.T) {
			if len(m.sessions) == 4 {
				t.Skip("enough")
			}
			m.open(rapid.SampledFrom(members).Draw(t, "member"))
		}
		visit := func(t *rapid.T) { m.visit(rapid.SampledFrom(members).Draw(t, "member")) }
		do := func(f func()) func(*rapid.T) { return func(*rapid.T) { f() } }
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "visit": visit, "visit again": visit, "open": open, "open another": open, "list": do(m.list), "fetch": do(m.fetch), "fetch more": do(m.fetch),
			"delete": do(m.delete), "delete more": do(m.delete), "reset": do(m.reset), "quit": do(m.quit), "quit too": do(m.quit),
			"lose": do(m.lose), "deliver": do(m.deliver), "remove upstream": do(m.removeUpstream),
		})
		m.end()
	}
	rapid.Check(t, history)
	for rounds := 1; len(w.received("DELE")) == 0 && !t.Failed(); rounds++ { // a few histories may happen to release nothing
		if rounds == 10 {
			t.Fatal("nothing was ever released: the test shows little")
		}
		rapid.Check(t, history)
	}
	checkReceived(t, w.received())
}

// FuzzSession sends octets as a session. Whatever they are, the upstream gets
// canonical commands only, and nothing is missing that was not deleted.
func FuzzSession(f *testing.F) {
	for _, octets := range attacks {
		if len(octets) < 10_000 {
			f.Add(octets)
		}
	}
	for _, octets := range []string{
		"DELE 1\r\nQUIT\r\n", "RETR 1\r\nRETR 2\r\nDELE 1\r\nDELE 2\r\nRSET\r\nDELE 2\r\nQUIT\r\n", "TOP 1 99999999\r\nUIDL\r\nLIST 2\r\nQUIT\r\n",
		"CAPA\r\nUSER x\r\nPASS y\r\nAUTH PLAIN AHgAeQ==\r\nSTAT\r\n", "AUTH LOGIN\r\neA==\r\neQ==\r\nQUIT\r\n", "UTF8\r\nLANG\r\nSTLS\r\n",
	} {
		f.Add(octets)
	}
	w := newWorld(f, withRules)
	runs := 0
	f.Fuzz(func(t *testing.T, octets string) {
		runs++
		for _, kind := range []string{"pair", "mixed"} {
			box := w.box(fmt.Sprintf("%s-fuzz%d@example.com", kind, runs), 100, 200)
			c, ok := w.in(t).login(box, "alice")
			if !ok {
				t.Fatal("no login")
			}
			c.attack(octets)
			upper := strings.ToUpper("\r\n" + octets)
			asked := strings.Contains(upper, "\nDELE ") && strings.Contains(upper, "\r\nQUIT\r\n")
			if left := len(w.upstream.UniqueIDs(box)); left != 2 && (kind == "pair" || !asked) {
				t.Errorf("%d messages are left in %s", left, box)
			}
		}
		c := w.in(t).connect()
		c.line()
		c.attack(octets)
		w.settle()
		checkReceived(t, w.received())
		w.tap.forget()
		if n := w.proxy.Panics(); n > 0 {
			t.Fatal("a session panicked")
		}
	})
}
