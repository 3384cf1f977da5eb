package ledger

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mailguard/member"
	"mailguard/message"
	"mailguard/policy"
)

// Whoever comes first, the claim or the administrator, the other one hears of
// it: what was restored or pinned is not claimed any more, and what is claimed
// is not restored.
func TestClaimAgainstRestoreAndPin(t *testing.T) {
	f := newFixture(t)
	const n = 40
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("m", i)
	}
	ids := heldOnes(f, names...).IDs
	var mu sync.Mutex
	claimed, kept := make(map[message.ID]int), make(map[message.ID]bool)
	claim := func(i int) {
		got, err := f.Claim(t.Context(), box, ids[i:i+1], f.clock.Now(), alwaysDue)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range got {
			if claimed[id]++; kept[id] {
				t.Errorf("%d was claimed after somebody was told that it stays", id)
			}
		}
	}
	keep := func(i int) {
		var done Administered
		var err error
		if i%2 == 0 {
			done, err = f.Pin(t.Context(), ids[i:i+1], "")
		} else {
			var r Restoration
			r, err = f.Restore(t.Context(), Restore{IDs: ids[i : i+1]})
			done = r.Administered
		}
		if err != nil || len(done.Done)+len(done.Refused) != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		mu.Lock()
		for _, id := range done.Done {
			kept[id] = true
		}
		mu.Unlock()
		claim(i) // whoever comes later finds it kept
	}
	var all sync.WaitGroup
	for i := range ids {
		for range 3 {
			all.Go(func() { claim(i) })
		}
		all.Go(func() { keep(i) })
	}
	all.Wait()
	for _, id := range ids {
		h := f.found(id).Message
		if claimed[id] > 1 || (claimed[id] == 1) == kept[id] || h.Claimed.IsZero() != kept[id] {
			t.Errorf("%d: claimed %d times, kept %t; %+v", id, claimed[id], kept[id], h)
		}
	}
}

// who has deleted something by a protocol.
type who struct {
	name     member.Name
	protocol member.Protocol
}

// expected is what a message should be.
type expected struct {
	deleted  map[who]time.Time
	held     time.Time
	approved bool
	pinned   bool
	purge    bool
	claimed  bool
}

func (e *expected) first() (t time.Time) {
	for _, at := range e.deleted {
		if t.IsZero() || at.Before(t) {
			t = at
		}
	}
	return t
}

// restoreModel is two messages which are known to POP3 and to IMAP.
type restoreModel struct {
	*fixture

	t    *rapid.T
	drop []message.Listed
	ids  []message.ID
	want []*expected
}

func newRestoreModel(tb testing.TB, t *rapid.T) *restoreModel {
	m := &restoreModel{fixture: newFixture(tb), t: t, drop: []message.Listed{mail("a", 1), mail("b", 1)}}
	m.ids = m.enter("zoe", m.drop...).IDs
	m.exec("UPDATE messages SET uid_validity = ?, uid = id", inbox.UIDValidity)
	for range m.ids {
		m.want = append(m.want, &expected{deleted: make(map[who]time.Time)})
	}
	return m
}

func (m *restoreModel) any() (int, *expected) {
	i := rapid.IntRange(0, len(m.ids)-1).Draw(m.t, "message")
	return i, m.want[i]
}

func (m *restoreModel) member() member.Name {
	return rapid.SampledFrom([]member.Name{"", "alice", "bob"}).Draw(m.t, "member")
}

func (m *restoreModel) delete(protocol member.Protocol) {
	i, e := m.any()
	by := who{m.member(), protocol}
	at := m.clock.pass(time.Second)
	if protocol == member.POP3 {
		m.enter(by.name, m.drop...).record(Record{At: at, Decisions: decisions(policy.Deferred, m.ids[i])})
	} else {
		if _, err := m.RecordFolder(m.tb.Context(), m.visitIMAP(by.name), inbox,
			FolderRecord{At: at, Decisions: folderDecisions(policy.Deferred, message.UID(m.ids[i]))}); err != nil {
			m.t.Fatal(err)
		}
	}
	if _, known := e.deleted[by]; !known {
		e.deleted[by] = at
	}
	if e.held.IsZero() {
		e.held = at
	}
}

// said checks what an order was answered.
func (m *restoreModel) said(all Administered, err error, want bool) {
	if err != nil || (len(all.Done) == 1) != want || (len(all.Refused) == 1) == want {
		m.t.Fatalf("%+v, %v; want done: %t", all, err, want)
	}
}

func (m *restoreModel) restore() {
	i, e := m.any()
	r := Restore{IDs: m.ids[i : i+1], Pin: rapid.Bool().Draw(m.t, "pin")}
	if rapid.Bool().Draw(m.t, "one") {
		r.Member = restoreTo(m.member())
	}
	done, err := m.Restore(m.tb.Context(), r)
	back := make(map[who]bool)
	for w := range e.deleted {
		if r.Member == nil || *r.Member == w.name {
			back[w] = true
		}
	}
	can := !e.claimed && (!e.purge || r.Pin) && (len(back) > 0 || e.purge)
	m.said(done.Administered, err, can)
	if !can {
		return
	}
	for _, one := range done.Returned {
		delete(back, who{one.Member, one.Protocol})
		delete(e.deleted, who{one.Member, one.Protocol})
	}
	if len(back) > 0 {
		m.t.Fatalf("%v did not come back", back)
	}
	e.held, e.approved, e.purge, e.pinned = e.first(), false, false, e.pinned || r.Pin
}

func (m *restoreModel) pin() {
	i, e := m.any()
	done, err := m.Pin(m.tb.Context(), m.ids[i:i+1], "")
	m.said(done, err, !e.claimed)
	if !e.claimed {
		e.held, e.approved, e.purge, e.pinned = e.first(), false, false, true
	}
}

func (m *restoreModel) unpin() {
	i, e := m.any()
	done, err := m.Unpin(m.tb.Context(), m.ids[i:i+1], "")
	m.said(done, err, !e.claimed && e.pinned)
	e.pinned = false
}

func (m *restoreModel) approve() {
	i, e := m.any()
	can := !e.claimed && !e.pinned && !e.held.IsZero()
	done, err := m.Approve(m.tb.Context(), m.ids[i:i+1], "")
	m.said(done, err, can)
	e.approved = e.approved || can
}

func (m *restoreModel) purge() {
	i, e := m.any()
	at := m.clock.pass(time.Second)
	done, err := m.Purge(m.tb.Context(), m.ids[i:i+1], "asked")
	m.said(done, err, true)
	if e.purge, e.pinned = true, false; e.held.IsZero() {
		e.held = at
	}
}

func (m *restoreModel) claim() {
	i, e := m.any()
	got, err := m.Claim(m.tb.Context(), box, m.ids[i:i+1], m.clock.Now(), alwaysDue)
	can := !e.claimed && !e.pinned && !e.held.IsZero()
	if err != nil || (len(got) == 1) != can {
		m.t.Fatalf("claimed %v, %v; want %t", got, err, can)
	}
	e.claimed = e.claimed || can
}

func (m *restoreModel) withdraw() {
	i, e := m.any()
	if err := m.Withdraw(m.tb.Context(), m.ids[i:i+1]); err != nil {
		m.t.Fatal(err)
	}
	e.claimed = false
}

func (m *restoreModel) check() {
	for i, e := range m.want {
		h := m.found(m.ids[i])
		got := make(map[who]time.Time)
		for _, d := range h.Deletions {
			got[who{d.Member, d.Protocol}] = d.At
		}
		have := h.Message
		if !maps.EqualFunc(got, e.deleted, time.Time.Equal) || !have.HeldSince.Equal(e.held) || have.Pinned != e.pinned ||
			have.Approved.IsZero() == e.approved || (have.PurgeReason != "") != e.purge || have.Claimed.IsZero() == e.claimed {
			m.t.Fatalf("message %d is\n%+v\n%v\nand should be\n%+v", i, have, got, e)
		}
	}
	for _, name := range []member.Name{"", "alice", "bob"} {
		var want []message.UID
		for i, e := range m.want {
			if _, hidden := e.deleted[who{name, member.IMAP}]; hidden {
				want = append(want, message.UID(m.ids[i]))
			}
		}
		if got := m.openIn(name, inbox).Hidden; !slices.Equal(got, want) {
			m.t.Fatalf("hidden from %q: %v, want %v", name, got, want)
		}
	}
}

// Whatever members delete by either protocol and administrators say about it, a
// message is held since the first deletion that is left, or for a purge.
func TestRestoreModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newRestoreModel(t, rt)
		rt.Repeat(map[string]func(*rapid.T){
			"delete by POP3": func(*rapid.T) { m.delete(member.POP3) },
			"delete by IMAP": func(*rapid.T) { m.delete(member.IMAP) },
			"restore":        func(*rapid.T) { m.restore() },
			"pin":            func(*rapid.T) { m.pin() },
			"unpin":          func(*rapid.T) { m.unpin() },
			"approve":        func(*rapid.T) { m.approve() },
			"purge":          func(*rapid.T) { m.purge() },
			"claim":          func(*rapid.T) { m.claim() },
			"withdraw":       func(*rapid.T) { m.withdraw() },
			"":               func(*rapid.T) { m.check() },
		})
	})
}
