package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// model is a maildrop as it really is, and what members were told about it. A
// ledger is held against it.
type model struct {
	*rapid.T
	f        *fixture
	box      member.Mailbox
	there    []*physical             // upstream, in order
	away     []*physical             // went past the guard, may come back
	spent    map[message.Listed]bool // one went and may not be noticed, or may come back: another under this key would pass for it
	rows     map[message.ID]*physical
	sessions []*modelSession
	count    int
}

// physical is one message as it lies upstream.
type physical struct {
	serial  int
	key     message.Listed
	id      message.ID           // its row, once known; of one of several equal ones it may change
	twin    bool                 // it has or had an equal
	deleted map[member.Name]bool // who was told that it is deleted
	claimed string
}

func (p *physical) String() string { return fmt.Sprintf("#%d(%s)", p.serial, p.key.UniqueID) }

// modelSession is a session between its listing and its end.
type modelSession struct {
	visit   Visit
	listing []*physical
	drop    *Maildrop // nil: not opened in the ledger yet
}

func (s *modelSession) listed() []message.Listed {
	var all []message.Listed
	for _, p := range s.listing {
		all = append(all, p.key)
	}
	return all
}

// tick lets less than a millisecond pass, or some.
func (m *model) tick() time.Time {
	return m.f.clock.pass(time.Duration(rapid.SampledFrom([]int{0, 100, 400, 1000, 7000}).Draw(m.T, "µs")) * time.Microsecond)
}

func (m *model) member() member.Name {
	return rapid.SampledFrom([]member.Name{"alice", "bob", "carol"}).Draw(m.T, "member")
}

// The actions, by name.

func (m *model) arrive() {
	key := rapid.SampledFrom([]message.Listed{mail("a", 1), mail("a", 2), mail("b", 1), mail("c", 1), mail("d", 1)}).Draw(m.T, "key")
	if m.spent[key] {
		m.T.Skip("it could not be told from the one that went")
	}
	// A server gives a unique-id again only long after; how a reuse within
	// moments looks is not defined.
	m.f.clock.pass(5 * time.Millisecond)
	m.count++
	p := &physical{serial: m.count, key: key, deleted: make(map[member.Name]bool)}
	for _, q := range m.there {
		if q.key == key {
			p.twin, q.twin = true, true
		}
	}
	m.there = append(m.there, p)
	m.tick()
}

// pick takes one of the messages that are there.
func (m *model) pick(fits func(*physical) bool) *physical {
	var some []*physical
	for _, p := range m.there {
		if fits(p) {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		m.T.Skip("there is none")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(m.T, "message")]
}

func (m *model) remove(p *physical) {
	m.there = slices.DeleteFunc(slices.Clone(m.there), func(q *physical) bool { return q == p })
	m.spent[p.key] = true
	m.f.clock.pass(5 * time.Millisecond)
}

// vanish is a deletion in webmail.
func (m *model) vanish() {
	p := m.pick(func(p *physical) bool { return p.claimed == "" && !p.twin })
	m.remove(p)
	m.away = append(m.away, p)
}

// comeBack is a server that was restored from its backup.
func (m *model) comeBack() {
	if len(m.away) == 0 {
		m.T.Skip("none is away")
	}
	m.f.clock.pass(5 * time.Millisecond)
	m.there = append(m.there, m.away[0])
	m.away = m.away[1:]
	m.tick()
}

// begin lists the maildrop, some time after the session began.
func (m *model) begin() {
	v := Visit{Mailbox: m.box, Member: m.member(), Protocol: member.POP3, At: m.tick()}
	m.sessions = append(m.sessions, &modelSession{visit: v})
}

func (m *model) list() {
	s := m.session(func(s *modelSession) bool { return s.listing == nil && s.drop == nil })
	s.listing = slices.Clone(m.there)
	m.tick()
}

func (m *model) session(fits func(*modelSession) bool) *modelSession {
	var some []*modelSession
	for _, s := range m.sessions {
		if fits(s) {
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		m.T.Skip("there is none")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(m.T, "session")]
}

// open opens a session in the ledger, however old its listing is by now.
func (m *model) open() {
	s := m.session(func(s *modelSession) bool { return s.listing != nil && s.drop == nil })
	m.openSession(s)
	m.tick()
}

func (m *model) openSession(s *modelSession) {
	drop, err := m.f.OpenMaildrop(m.f.tb.Context(), s.visit, s.listed())
	if err != nil {
		m.T.Fatal(err)
	}
	s.drop = drop
	m.check(s)
}

// check holds what a session is shown against the truth.
func (m *model) check(s *modelSession) {
	seen := make(map[message.ID]bool)
	for i, p := range s.listing {
		id := s.drop.IDs[i]
		if id == 0 || seen[id] {
			m.T.Fatalf("%v has row %d, which is another copy's or none", p, id)
		}
		seen[id] = true
		if p.twin {
			continue
		}
		if owner := m.rows[id]; owner != nil && owner != p {
			m.T.Fatalf("%v has the row of %v", p, owner)
		}
		if p.id != 0 && p.id != id {
			m.T.Fatalf("%v had row %d, now %d", p, p.id, id)
		}
		p.id, m.rows[id] = id, p
		if s.drop.Hidden[i] != p.deleted[s.visit.Member] {
			m.T.Fatalf("%v is hidden from %s: %v", p, s.visit.Member, s.drop.Hidden[i])
		}
	}
}

// deletion takes a message of an open session that its member has not deleted.
func (m *model) deletion() (*modelSession, int) {
	s := m.session(func(s *modelSession) bool { return s.drop != nil && len(s.listing) > 0 })
	i := rapid.IntRange(0, len(s.listing)-1).Draw(m.T, "place")
	if s.drop.Hidden[i] {
		m.T.Skip("nobody deletes what they do not see")
	}
	return s, i
}

func (m *model) record(s *modelSession, i int, outcome policy.Outcome) bool {
	r := Record{At: m.tick(), Decisions: decisions(outcome, s.drop.IDs[i])}
	claimed, err := m.f.Record(m.f.tb.Context(), s.visit, s.drop, r)
	if err != nil {
		m.T.Fatal(err)
	}
	s.listing[i].deleted[s.visit.Member] = true
	return len(claimed) == 1
}

func (m *model) deferral() {
	s, i := m.deletion()
	m.record(s, i, policy.Deferred)
}

// allow claims a message that may be removed at once.
func (m *model) allow() {
	s, i := m.deletion()
	p := s.listing[i]
	if m.record(s, i, policy.Allowed) { // maybe it went past the guard since it was listed: nobody can know
		p.claimed = goneAllowed
		m.away = slices.DeleteFunc(m.away, func(q *physical) bool { return q == p })
	}
}

// release claims a held message.
func (m *model) release() {
	p := m.pick(func(p *physical) bool { return p.id != 0 && p.claimed == "" && !p.twin && len(p.deleted) > 0 })
	ids, err := m.f.Claim(m.f.tb.Context(), m.box, []message.ID{p.id}, m.tick(), alwaysDue)
	if err != nil {
		m.T.Fatal(err)
	}
	if len(ids) == 1 {
		p.claimed = goneReleased
	}
}

// carryOut does upstream what was claimed.
func (m *model) carryOut() {
	p := m.pick(func(p *physical) bool { return p.claimed != "" })
	m.remove(p)
}

// withdraw is a removal that the upstream refused.
func (m *model) withdraw() {
	p := m.pick(func(p *physical) bool { return p.claimed != "" && !p.twin })
	if err := m.f.Withdraw(m.f.tb.Context(), []message.ID{p.id}); err != nil {
		m.T.Fatal(err)
	}
	p.claimed = ""
}

// settle ends all sessions, lets claims expire, and lists once more: then the
// ledger must know exactly what is there, and how the rest went.
func (m *model) settle() {
	m.sessions = nil
	m.f.clock.pass(2 * claimLasts)
	for range 2 { // a row that changed while it was looked at is left to the next session
		s := &modelSession{
			visit:   Visit{Mailbox: m.box, Member: m.member(), Protocol: member.POP3, At: m.f.clock.pass(5 * time.Millisecond)},
			listing: slices.Clone(m.there),
		}
		m.openSession(s)
		m.f.clock.pass(5 * time.Millisecond)
	}
	for _, p := range m.there {
		p.claimed = ""
	}
	m.checkRows()
	clear(m.spent)
	for _, p := range m.away {
		m.spent[p.key] = true
		if p.id != 0 {
			m.checkGone(p, goneBypass)
		}
	}
	// What was seen to be gone by the guard may have a successor.
	for id, p := range m.rows {
		if p.claimed != "" && !p.twin {
			m.checkGone(p, p.claimed)
			delete(m.rows, id)
		}
	}
}

func (m *model) checkGone(p *physical, how string) {
	if h := m.f.found(p.id); h.Message.GoneHow != how {
		m.T.Fatalf("%v is gone %q, want %q", p, h.Message.GoneHow, how)
	}
}

// checkRows counts: as many rows as messages of each key, each way of going
// only after its claim, no claim left of what is there.
func (m *model) checkRows() {
	count := make(map[message.Listed]int)
	for _, p := range m.there {
		count[p.key]++
	}
	for key, n := range count {
		rows := m.f.number(`SELECT count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id
			WHERE b.name = ? AND m.unique_id = ? AND m.size = ? AND m.gone_at IS NULL`, m.box, key.UniqueID, key.Size)
		if int(rows) != n {
			m.T.Fatalf("%d rows of %v, which is there %d times", rows, key, n)
		}
	}
	if n := m.f.number(`SELECT count(*) FROM messages m JOIN mailboxes b ON b.id = m.mailbox_id WHERE b.name = ?
		AND ((m.gone_at IS NULL AND m.claimed_at IS NOT NULL)
			OR (m.gone_at IS NULL) <> (m.gone_how IS NULL)
			OR (m.gone_how = 'bypass') <> (m.gone_at IS NOT NULL AND m.claimed_at IS NULL)
			OR (m.gone_how <> 'bypass' AND m.gone_how <> m.claimed_how)
			OR (m.gone_at IS NULL AND m.held_since IS NULL AND EXISTS (SELECT 1 FROM deletions d WHERE d.message_id = m.id)))`, m.box); n != 0 {
		m.T.Fatalf("%d rows say something else than what happened", n)
	}
}

func TestLedgerAgainstAModel(t *testing.T) {
	f := newFixture(t)
	boxes := 0
	rapid.Check(t, func(t *rapid.T) {
		boxes++
		m := &model{
			T: t, f: f, box: member.Mailbox(fmt.Sprintf("box%d@example.com", boxes)),
			spent: make(map[message.Listed]bool), rows: make(map[message.ID]*physical),
		}
		t.Repeat(map[string]func(*rapid.T){
			"arrive": m.do((*model).arrive), "vanish": m.do((*model).vanish), "come back": m.do((*model).comeBack),
			"begin": m.do((*model).begin), "list": m.do((*model).list), "open": m.do((*model).open),
			"defer": m.do((*model).deferral), "allow": m.do((*model).allow), "release": m.do((*model).release),
			"carry out": m.do((*model).carryOut), "withdraw": m.do((*model).withdraw), "settle": m.do((*model).settle),
		})
		m.settle()
	})
}

func (m *model) do(action func(*model)) func(*rapid.T) {
	return func(t *rapid.T) { m.T = t; action(m) }
}
