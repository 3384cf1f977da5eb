package pop3

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// misbehaviours are what an upstream can do wrong at a command.
var misbehaviours = map[string]action{
	"is lost before it":   {close: closeBefore},
	"is lost behind it":   {close: closeDuring},
	"answers half a line": {close: closeDuring, octets: 2},
	"breaks off":          {close: closeDuring, octets: 30},
	"refuses":             {reply: "-ERR [SYS/TEMP] not now"},
	"talks nonsense":      {reply: "* OK this is not POP3"},
	"says nothing":        {reply: " "},
	"says too much":       {reply: "+OK " + strings.Repeat("x", 100_000)},
	"speaks unasked":      {behind: "+OK and another thing\r\n"},
	"repeats the end":     {behind: ".\r\n"},
	"is silent":           {delay: 1500 * time.Millisecond},
}

// Whatever the upstream does wrong, and when: nothing is removed that was not
// to be removed, the client gets an answer or an end, and a later session is
// in order.
func TestUpstreamMisbehaves(t *testing.T) {
	w := newWorld(t, withRules, func(s *setup) { s.server.Timeout = 600 * time.Millisecond })
	for what, action := range misbehaviours {
		for _, at := range []string{"LIST", "UIDL", "RETR", "TOP", "NOOP", "RSET", "DELE", "QUIT"} {
			for _, kind := range kindsAt(at) {
				box := fmt.Sprintf("%s-%s-%s@example.com", kind, strings.ToLower(at), strings.ReplaceAll(what, " ", "-"))
				t.Run(kind+"/"+at+" "+what, func(t *testing.T) {
					t.Parallel()
					w.in(t).misbehave(box, kind, at, action)
				})
			}
		}
	}
}

// kindsAt are the kinds of mailboxes to be tried: where commands are passed on,
// only those that end up in different code.
func kindsAt(command string) []string {
	switch command {
	case "QUIT":
		return []string{"pair", "mixed", "own", "watch"}
	case "DELE":
		return []string{"mixed", "own", "watch"}
	case "RETR", "RSET":
		return []string{"mixed", "own"}
	default:
		return []string{"mixed"}
	}
}

// in is the same world for a test of its own.
func (w *world) in(tb reporter) *worldIn { return &worldIn{world: w, tb: tb} }

// worldIn opens clients that report to another test.
type worldIn struct {
	*world

	tb reporter
}

func (w *worldIn) connect() *client {
	w.tb.Helper()
	conn, err := net.Dial("tcp", w.address)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.pass(time.Second)
	return newClient(w.tb, conn)
}

func (w *worldIn) login(box, who string) (*client, bool) {
	w.tb.Helper()
	c := w.connect()
	c.line()
	c.ask("USER " + box + "#" + who)
	return c, strings.HasPrefix(c.ask("PASS "+password), "+OK")
}

func (w *worldIn) misbehave(box, kind, at string, a action) {
	t := w.tb
	w.box(box, 100, 200, 300)
	w.hook(box, once(at, a))
	if c, ok := w.login(box, "alice"); ok {
		for _, command := range []string{"NOOP", "TOP 2 0", "RETR 2", "DELE 1", "RSET", "DELE 2", "QUIT"} {
			if !c.survives(command) {
				break
			}
		}
		c.remainder()
		c.drop()
	}
	left := w.upstream.UniqueIDs(box)
	passedOn := kind == "own" || kind == "watch"
	refused := at == "RSET" && strings.HasPrefix(a.reply, "-ERR")
	if !slices.Contains(left, "u1") && !(passedOn && refused) {
		t.Fatalf("upstream has %v: u1 was to stay", left)
	}
	if !slices.Contains(left, "u3") {
		t.Fatalf("upstream has %v: u3 was to stay", left)
	}
	if kind == "pair" && len(left) != 3 {
		t.Fatalf("upstream has %v: nothing was to be removed", left)
	}
	w.hook(box, nil)
	w.pass(time.Hour)
	c, ok := w.login(box, "bob")
	if !ok {
		t.Fatal("bob cannot log in afterwards")
	}
	if c.survives("RETR 1") {
		c.survives("DELE 1")
		c.say("QUIT", "+OK*")
	} else {
		t.Error("bob cannot read afterwards")
	}
	// Where bob's own deletion passes, what he found as number 1 is gone.
	if left = w.upstream.UniqueIDs(box); !passedOn && !slices.Contains(left, "u3") {
		t.Errorf("upstream has %v: u3 is nobody's to remove", left)
	}
}

// survives sends a command and reads what comes up to its end; it reports
// whether the session still goes on as it should.
func (c *client) survives(command string) bool {
	c.tb.Helper()
	if _, err := fmt.Fprintf(c.conn, "%s\r\n", command); err != nil {
		return false
	}
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "+OK") || command == "QUIT" {
		return err == nil && strings.HasPrefix(line, "-ERR")
	}
	if strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "TOP") {
		for line != ".\r\n" {
			if line, err = c.r.ReadString('\n'); err != nil {
				return false
			}
		}
	}
	return true
}

// An upstream that says more than it was asked is not asked any further.
func TestUnaskedEndsTheSession(t *testing.T) {
	w := newWorld(t, withRules)
	box := w.box("allow@example.com", 100, 200)
	w.hook(box, once("NOOP", action{behind: "+OK unasked\r\n"}))
	c := w.open(box, "alice")
	c.say("DELE 1", "+OK*")
	c.say("NOOP", "+OK*")
	c.say("NOOP", "-ERR [SYS/TEMP]*")
	c.ended()
	w.has(box, "u1", "u2")
}

// A session that waits for its upstream ends when it is told to.
func TestShutdownDoesNotWaitForTheUpstream(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	entered := make(chan struct{})
	w.hook(box, func(command string) action {
		if command != "NOOP" {
			return action{}
		}
		close(entered)
		return action{hold: t.Context().Done()}
	})
	c := w.open(box, "alice")
	c.send("NOOP\r\n")
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	started := time.Now()
	if err := w.proxy.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestUpstreamCannotBeReached(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	if err := w.upstream.Close(); err != nil {
		t.Fatal(err)
	}
	c := w.dial()
	c.list("CAPA")
	for range 3 {
		c.say("USER "+box, "+OK*")
		c.say("PASS "+password, "-ERR [SYS/TEMP]*")
	}
	c.ended()
}

// Listings that make no sense close the mailbox: a view built on them could
// show one message under another's name.
func TestSenselessListings(t *testing.T) {
	for name, c := range map[string]struct{ verb, reply string }{
		"a number left out":     {"LIST", "+OK\r\n1 100\r\n3 100\r\n."},
		"from 0":                {"LIST", "+OK\r\n0 100\r\n1 100\r\n."},
		"descending":            {"LIST", "+OK\r\n2 100\r\n1 100\r\n."},
		"twice":                 {"LIST", "+OK\r\n1 100\r\n1 100\r\n."},
		"negative size":         {"LIST", "+OK\r\n1 -100\r\n2 100\r\n."},
		"size with a sign":      {"LIST", "+OK\r\n1 +100\r\n2 100\r\n."},
		"no size":               {"LIST", "+OK\r\n1\r\n2\r\n."},
		"huge size":             {"LIST", "+OK\r\n1 99999999999999999999\r\n2 100\r\n."},
		"words":                 {"LIST", "+OK\r\none hundred\r\n."},
		"refused":               {"LIST", "-ERR"},
		"UIDL shorter":          {"UIDL", "+OK\r\n1 u1\r\n."},
		"UIDL longer":           {"UIDL", "+OK\r\n1 u1\r\n2 u2\r\n3 u3\r\n."},
		"UIDL in another order": {"UIDL", "+OK\r\n2 u2\r\n1 u1\r\n."},
		"UIDL without an id":    {"UIDL", "+OK\r\n1\r\n2 u2\r\n."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			box := w.box("pair@example.com", 100, 100)
			w.hook(box, once(c.verb, action{reply: c.reply}))
			s := w.dial()
			s.say("USER "+box, "+OK*")
			s.say("PASS "+password, "-ERR*")
			s.ended()
			if sent := w.received("DELE"); len(sent) > 0 {
				t.Errorf("upstream received %q", sent)
			}
		})
	}
}

// CAPA that does not end does not hold a client up for ever.
func TestEndlessCapabilities(t *testing.T) {
	w := newWorld(t)
	w.hook("", func(command string) action {
		if command == "CAPA" {
			return action{reply: "+OK" + strings.Repeat("\r\nTOP", 100_000)}
		}
		return action{}
	})
	c := w.dial()
	c.list("CAPA")
	c.say("QUIT", "+OK*")
}
