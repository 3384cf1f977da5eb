package pop3

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/guard"
	"mailguard/ledger"
	"mailguard/policy"
)

// withRules guards by rules that look at the name of the mailbox.
func withRules(s *setup) {
	s.rules = []policy.Rule{
		{Name: "allowed", When: `mailbox.name.startsWith("allow")`, Then: policy.Allow},
		{Name: "refused", When: `mailbox.name.startsWith("refuse")`, Then: policy.Refuse, Message: "Ask Carol before you delete"},
		{Name: "refused silently", When: `mailbox.name.startsWith("quiet")`, Then: policy.Refuse},
		{Name: "anonymous refused", When: `mailbox.name.startsWith("anonrefuse")`, Then: policy.Defer, Anonymous: policy.AnonymousRefuse},
		{Name: "anonymous accepted", When: `mailbox.name.startsWith("anonaccept")`, Then: policy.Defer, Anonymous: policy.AnonymousAccept},
		{Name: "small ones only", When: `mailbox.name.startsWith("mixed") && message.size < 250`, Then: policy.Allow},
	}
}

func TestVerdicts(t *testing.T) {
	w := newWorld(t, withRules)
	for _, c := range []struct {
		box, who string
		answer   string // to DELE 1
		later    string // what the member sees in the next session
		left     []string
	}{
		{"allow@example.com", "alice", "+OK*", "+OK 1 200", []string{"u2"}},
		{"allow2@example.com", "", "+OK*", "+OK 1 200", []string{"u2"}},
		{"refuse@example.com", "alice", "-ERR [SYS/PERM] Ask Carol before you delete", "+OK 2 300", []string{"u1", "u2"}},
		{"quiet@example.com", "alice", "-ERR [SYS/PERM] " + defaultRefusal, "+OK 2 300", []string{"u1", "u2"}},
		{"pair@example.com", "alice", "+OK*", "+OK 1 200", []string{"u1", "u2"}},
		{"pair2@example.com", "", "+OK*", "+OK 1 200", []string{"u1", "u2"}},
		{"anonrefuse@example.com", "", "-ERR [SYS/PERM]*", "+OK 2 300", []string{"u1", "u2"}},
		{"anonrefuse2@example.com", "alice", "+OK*", "+OK 1 200", []string{"u1", "u2"}},
		{"anonaccept@example.com", "", "+OK*", "+OK 2 300", []string{"u1", "u2"}},
		{"anonaccept2@example.com", "alice", "+OK*", "+OK 1 200", []string{"u1", "u2"}},
		{"mixed@example.com", "alice", "+OK*", "+OK 1 200", []string{"u2"}},
		{"own@example.com", "alice", "+OK*", "+OK 1 200", []string{"u2"}},
		{"watch@example.com", "alice", "+OK*", "+OK 1 200", []string{"u2"}},
	} {
		t.Run(c.box, func(t *testing.T) {
			box := w.box(c.box, 100, 200)
			s := w.open(box, c.who)
			s.say("DELE 1", c.answer)
			s.say("STAT", "+OK*")
			s.quit()
			if got := w.upstream.UniqueIDs(box); !slices.Equal(got, c.left) {
				t.Errorf("upstream has %v, want %v", got, c.left)
			}
			s = w.open(box, c.who)
			s.say("STAT", c.later)
			s.quit()
		})
	}
}

func TestNothingAllowedWithoutQuit(t *testing.T) {
	w := newWorld(t, withRules)
	for _, name := range []string{"allow@example.com", "own@example.com", "watch@example.com"} {
		box := w.box(name, 100, 200)
		c := w.open(box, "alice")
		c.say("DELE 1", "+OK*")
		c.drop()
		w.settle()
		w.has(box, "u1", "u2")
		c = w.open(box, "alice")
		c.say("DELE 2", "+OK*")
		c.say("RSET", "+OK*")
		c.quit()
		w.has(box, "u1", "u2")
	}
}

// In observe mode everything passes, and is on record.
func TestObserve(t *testing.T) {
	w := newWorld(t)
	box := w.box("watch@example.com", 100, 200, 300)
	c := w.open(box, "alice")
	c.list("UIDL")
	c.list("RETR 1")
	c.say("DELE 1", "+OK*")
	c.say("DELE 1", "-ERR*")
	c.say("DELE 2", "+OK*")
	c.say("RSET", "+OK*")
	c.say("DELE 3", "+OK*")
	c.quit()
	w.has(box, "u1", "u2")

	c = w.open(box, "bob") // settles what became of the third
	c.say("STAT", "+OK 2 300")
	c.quit()
	held, err := w.ledger.Held(t.Context(), ledger.Filter{Mailbox: "watch@example.com"})
	if err != nil || len(held) != 0 {
		t.Errorf("held %v, %v; observe mode holds nothing", held, err)
	}
	gone, err := w.ledger.Find(t.Context(), 3)
	if err != nil || gone == nil || gone.Message.GoneHow != "observed" {
		t.Errorf("the third message: %+v, %v; want it gone as observed", gone, err)
	}
	first, err := w.ledger.Find(t.Context(), 1)
	if err != nil || first == nil || len(first.Fetches) != 1 {
		t.Errorf("the first message: %+v, %v; want one fetch on record", first, err)
	}
}

// A mailbox that policy cannot touch, through the guard and directly.
func TestRelayIsTransparent(t *testing.T) {
	script := []string{
		"STAT", "LIST", "LIST 2", "LIST 9", "UIDL", "UIDL 1", "RETR 1", "RETR 3", "RETR 9", "TOP 2 0", "TOP 2 1", "NOOP",
		"DELE 1", "DELE 1", "RETR 1", "LIST", "UIDL", "RSET", "LIST", "DELE 2",
	}
	play := func(c *client) (answers []string) {
		for _, command := range script {
			answers = append(answers, command, strings.TrimSuffix(c.ask(command), " "))
			listing := command == "LIST" || command == "UIDL" || command[0] == 'T'
			if (listing || command[0] == 'R') && answers[len(answers)-1][0] == '+' && command != "RSET" {
				answers = append(answers, c.rest()...)
			}
		}
		return answers
	}
	w := newWorld(t)
	w.box("own@example.com", 100, 200, 300)
	w.box("own2@example.com", 100, 200, 300)
	c := w.open("own@example.com", "")
	through := play(c)
	c.quit()

	direct := w.dialAt(w.direct)
	direct.say("USER own2@example.com", "+OK*")
	direct.say("PASS "+password, "+OK*")
	if straight := play(direct); !slices.Equal(through, straight) {
		t.Errorf("through the guard:\n%q\ndirectly:\n%q", through, straight)
	}
	direct.quit()
	w.has("own@example.com", "u1", "u3")
}

// A rule that is refused in one mailbox does not stop other mailboxes.
func TestSharedByUse(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.entries = []guard.Entry{{Match: "*", Settings: guard.Settings{Shared: guard.SharedAuto}}}
		s.guard.LearnFor = 30 * 24 * time.Hour
	})
	box := w.box("auto@example.com", 100, 200)
	c := w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u2") // one member: nobody shares it
	c = w.open(box, "bob")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u2")
	c = w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.quit()
	w.has(box, "u2") // members are still being learned
}
