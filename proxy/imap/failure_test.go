package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/demo/upstream"
)

// misbehaviours are what an upstream can do wrong at a command.
var misbehaviours = map[string]upstream.Action{
	"is lost before it":         {CloseBefore: true},
	"is lost behind it":         {CloseAfter: true},
	"answers half a line":       {Cut: 3},
	"breaks off":                {Cut: 30},
	"refuses":                   {Answer: "{tag} NO not now"},
	"does not understand":       {Answer: "{tag} BAD what"},
	"is silent":                 {Silent: true},
	"talks nonsense":            {Before: "+OK this is not IMAP"},
	"sends an empty line":       {Before: "" + "\r\n"},
	"asks unasked":              {Before: "+ go on"},
	"answers twice":             {After: "{tag} OK again"},
	"answers what nobody asked": {Before: "z9 OK done"},
	"answers early":             {Before: "g99999 OK done"},
	"says goodbye":              {Before: "* BYE for today"},
	"ends with BYE":             {Answer: "{tag} BYE x"},
	"ends with nothing":         {Answer: "{tag}"},
	"has a literal without end": {Before: "* 1 FETCH (BODY[] {99999999}\r\nabc"},
	"has an absurd literal":     {Before: "* 1 FETCH (BODY[] {99999999999999999999999}\r\nabc"},
	"counts wrong":              {Before: "* 99 EXPUNGE\r\n* 0 EXPUNGE\r\n* 0 FETCH (UID 0 FLAGS ())"},
	"fetches nonsense":          {Before: "* 1 FETCH FLAGS\r\n* 1 FETCH (FLAGS\r\n* 1 FETCH ()\r\n* FETCH"},
	"lies about UIDs":           {Before: "* 1 FETCH (UID 3 FLAGS (\\Deleted))\r\n* 3 FETCH (UID 1 FLAGS (\\Deleted))\r\n* SEARCH 3"},
	"goes on in pieces":         {Pieces: 1},
	"says too much":             {Before: "* OK " + strings.Repeat("x", 100_000)},
	"refuses a literal":         {Refuse: "NO [LIMIT] no"},
}

// script is what a client does meanwhile. Message 3 is never to be removed, 2
// only where everything may be.
var script = []string{
	"SELECT INBOX", "FETCH 1:3 (FLAGS)", `STORE 1 +FLAGS (\Deleted)`, "FETCH 2 BODY[]", "SEARCH UNDELETED", "EXPUNGE", "UID COPY 2 Keep",
	"IDLE", "UID MOVE 2 Keep", "APPEND INBOX {20+}\r\nSubject: x\r\n\r\ntext\r\n", "STATUS Keep (MESSAGES)", "NOOP", `UID STORE 2 -FLAGS.SILENT (\Deleted)`, "CLOSE",
}

// Whatever the upstream does wrong, and when: nothing is removed that was not
// to be removed, every command is answered once or the session ends, in time,
// and a later session is in order.
func TestUpstreamMisbehaves(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.server.Timeout, s.limits.Answer = 600*time.Millisecond, 600*time.Millisecond
	})
	var boxes []string
	t.Run("meanwhile", func(t *testing.T) {
		for what, action := range misbehaviours {
			for _, at := range places {
				for _, kind := range []string{"allow", "mixed", "plain", "watch"} {
					if !tells(kind, at) {
						continue
					}
					box := fmt.Sprintf("%s-%d@example.com", kind, len(boxes))
					boxes = append(boxes, box)
					t.Run(kind+"/"+at+" "+what, func(t *testing.T) {
						t.Parallel()
						w.misbehave(t, box, at, action)
					})
				}
			}
		}
	})
	w.beginAnew()
	w.pass(time.Hour) // what was begun is not under way any more
	for i, box := range boxes {
		if i%4 == 0 { // which ones differs from run to run
			w.afterwards(t, box)
		}
	}
}

// beginAnew gives later sessions as much time as a busy machine needs. Those that
// were to run into a time-out are over.
func (w *world) beginAnew() {
	w.settle()
	w.server.Timeout, w.handler.Limits.Answer = patience, patience
}

// places are the commands at which an upstream misbehaves.
var places = []string{
	"SELECT", "FETCH", "UID FETCH", "UID STORE", "UID EXPUNGE", "UID SEARCH", "UID MOVE", "UID COPY", "APPEND", "IDLE", "NOOP", "STATUS", "UNSELECT",
}

// tells reports whether a kind of mailbox ends up in code of its own there.
func tells(kind, at string) bool {
	switch at {
	case "UID FETCH":
		return true
	case "UID SEARCH":
		return kind != "plain"
	case "UID COPY":
		return kind != "watch"
	case "UID STORE", "UID EXPUNGE", "UID MOVE":
		return kind == "allow" || kind == "mixed"
	default:
		return kind == "allow"
	}
}

func (w *world) misbehave(t *testing.T, box, at string, a upstream.Action) {
	w.box(box, 100, 200, 300)
	w.folder(t, box, "Keep")
	w.on(box, once(at, a))
	started := time.Now()
	c := w.comeIn(t, box, "alice")
	for _, command := range script {
		if !c.survives(command) {
			break
		}
	}
	c.drop()
	if took := time.Since(started); took > 30*time.Second { // not a measurement: it would have hung
		t.Errorf("it took %v", took)
	}
	w.on(box, nil)
	w.judge(t, box)
}

// comeIn logs in, again where the short time-out of the test is too short for a
// busy machine.
func (w *world) comeIn(t *testing.T, box, who string) *client {
	t.Helper()
	for begun := time.Now(); ; {
		c := w.dial(t)
		answer := c.answer("LOGIN " + box + "#" + who + ` "` + password + `"`)
		switch {
		case strings.HasPrefix(answer, "OK "):
			return c
		case !strings.HasPrefix(answer, "NO [UNAVAILABLE]") || time.Since(begun) > patience:
			t.Fatalf("LOGIN: %q", answer)
		}
		c.drop()
	}
}

// afterwards somebody else works in the mailbox as ever.
func (w *world) afterwards(t *testing.T, box string) {
	t.Helper()
	c := w.enter(t, box, "bob")
	c.ok("FETCH 1:* (UID FLAGS BODY[])")
	c.do(`STORE 1:* +FLAGS (\Deleted)`)
	c.ok("EXPUNGE")
	c.logout()
	left := len(w.upstream.Messages(box, inbox))
	switch kind, _, _ := strings.Cut(box, "-"); {
	case (kind == "allow" || kind == "watch") && left > 0, kind == "plain" && left < 3, kind == "mixed" && left < 2:
		t.Errorf("%s: afterwards upstream has %d messages", box, left)
	}
}

// judge looks at what is upstream.
func (w *world) judge(t *testing.T, box string) {
	t.Helper()
	kind, _, _ := strings.Cut(box, "-")
	may := map[string][]uint32{"allow": {1, 2}, "mixed": {1}, "watch": {1, 2}}[kind]
	for _, uid := range w.removed(box) {
		if !slices.Contains(may, uid) {
			t.Errorf("message %d was removed", uid)
		}
	}
	for _, m := range w.upstream.Messages(box, inbox) {
		if slices.Contains(m.Flags, deleted) && !slices.Contains(may, m.UID) {
			t.Errorf("message %d has %s upstream", m.UID, deleted)
		}
	}
}

// survives sends a command and reads up to its answer. False: the session has
// ended.
func (c *client) survives(command string) bool {
	c.tb.Helper()
	c.sent++
	tag := fmt.Sprintf("a%d", c.sent)
	c.open[tag] = true
	if _, err := fmt.Fprintf(c.conn, "%s %s\r\n", tag, command); err != nil {
		return false
	}
	for {
		line, err := c.read()
		switch {
		case isTimeout(err):
			c.tb.Fatalf("%s: the session hangs behind %.200q", command, line)
		case err != nil:
			return false
		case strings.HasPrefix(line, "+") && command == "IDLE":
			_, _ = fmt.Fprint(c.conn, "DONE\r\n") // a lost connection shows at the next read
			continue
		}
		c.note(line)
		if strings.HasPrefix(line, tag+" ") {
			return true
		}
	}
}

// What is answered, and how, when the upstream is lost or refuses at a command.
func TestLostAndRefused(t *testing.T) {
	for _, test := range []struct {
		command, at string
		action      upstream.Action
		answer      string
		ends        bool
	}{
		{"SELECT INBOX", "SELECT", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
		{"FETCH 1 FLAGS", "FETCH", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
		{"FETCH 1 FLAGS", "FETCH", upstream.Action{Silent: true}, "NO [UNAVAILABLE]*", true},
		{"FETCH 1 FLAGS", "FETCH", upstream.Action{Before: "nonsense"}, "NO [UNAVAILABLE]*", true},
		{"EXPUNGE", "UID EXPUNGE", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
		{"EXPUNGE", "UID EXPUNGE", upstream.Action{Silent: true}, "NO [UNAVAILABLE]*", true},
		{"EXPUNGE", "UID FETCH", upstream.Action{Silent: true}, "NO [UNAVAILABLE]*", true},
		{"EXPUNGE", "UID FETCH", upstream.Action{Answer: "{tag} NO not now"}, "NO not now*", false},
		{"EXPUNGE", "UID STORE", upstream.Action{Answer: "{tag} NO not now"}, "OK*", false},
		{"EXPUNGE", "UID EXPUNGE", upstream.Action{Answer: "{tag} NO not now"}, "OK*", false},
		{"CLOSE", "UID EXPUNGE", upstream.Action{Answer: "{tag} NO not now"}, "OK*", false},
		{"CLOSE", "UNSELECT", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
		{"UID MOVE 1 Keep", "UID MOVE", upstream.Action{Answer: "{tag} NO [OVERQUOTA] full"}, "NO [OVERQUOTA] full*", false},
		{"UID MOVE 1 Keep", "UID MOVE", upstream.Action{CloseAfter: true}, "NO [UNAVAILABLE]*", true},
		{"APPEND INBOX {4+}\r\nabcd", "APPEND", upstream.Action{Refuse: "NO [OVERQUOTA] full"}, "NO [OVERQUOTA] full*", false},
		{"APPEND INBOX {4+}\r\nabcd", "APPEND", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
		{"IDLE", "IDLE", upstream.Action{Refuse: "NO not now"}, "NO not now", false},
		{"IDLE", "IDLE", upstream.Action{CloseBefore: true}, "NO [UNAVAILABLE]*", true},
	} {
		t.Run(test.command+" "+test.at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) {
				s.server.Timeout, s.limits.Answer = 300*time.Millisecond, 300*time.Millisecond
			})
			box := w.box("allow@example.com", 100, 200)
			w.folder(t, box, "Keep")
			c := w.login(t, box, "alice")
			if test.at != "SELECT" {
				c.ok("SELECT INBOX")
				c.ok(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			}
			w.on(box, once(test.at, test.action))
			if _, got := c.do(test.command); !fits(got, test.answer) {
				t.Errorf("got %q, want %q", got, test.answer)
			}
			if test.ends {
				c.goodbye()
			} else {
				c.ok("NOOP")
			}
			for _, m := range w.upstream.Messages(box, inbox) {
				if m.UID == 1 && slices.Contains(m.Flags, deleted) && !test.ends {
					t.Error("message 1 was left with \\Deleted upstream")
				}
			}
		})
	}
}

// An upstream that answers at the login what it should not logs nobody in.
func TestUpstreamMisbehavesAtLogin(t *testing.T) {
	for what, action := range misbehaviours {
		for _, at := range []string{"AUTHENTICATE", "LOGIN", "CAPABILITY", "ID", "NAMESPACE"} {
			t.Run(at+" "+what, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(s *setup) {
					s.server.Timeout = 400 * time.Millisecond
					s.IMAP.CapabilitiesLater = true
					if at == "LOGIN" {
						s.IMAP.Without = []string{"AUTH=PLAIN"}
					}
				})
				box := w.box("allow@example.com", 100)
				w.dial(t).ok("NOOP") // the capabilities are known
				user := ""
				if at == "NAMESPACE" {
					user = box
				}
				w.on(user, once(at, action))
				c := w.dial(t)
				login := "LOGIN " + box + ` "` + password + `"`
				for _, command := range []string{login, login, "SELECT INBOX"} {
					if !c.survives(command) {
						break
					}
				}
				c.drop()
				w.on(user, nil)
				w.beginAnew()
				c = w.enter(t, box, "bob")
				c.shows("1 ()")
			})
		}
	}
}

// An upstream that greets otherwise than it should.
func TestUpstreamGreetings(t *testing.T) {
	for _, greeting := range []string{"BYE not today", "BAD x", "NO x", "PREAUTH welcome", "NONSENSE", "OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x", "1 EXISTS"} {
		t.Run(greeting, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.IMAP.Greeting, s.server.Timeout = greeting, 400*time.Millisecond })
			box := w.box("allow@example.com", 100)
			c := w.dial(t)
			answer := c.answer("LOGIN " + box + ` "` + password + `"`)
			if strings.HasPrefix(greeting, "OK") != strings.HasPrefix(answer, "OK") {
				t.Errorf("%q", answer)
			}
			if !strings.HasPrefix(greeting, "OK") && len(w.received("LOGIN", "AUTHENTICATE")) > 0 {
				t.Error("a password was sent")
			}
		})
	}
}
