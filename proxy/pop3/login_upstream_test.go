package pop3

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// heard keeps every line that goes upstream before a login, SASL answers too,
// which the tap's own list leaves out.
type heard struct {
	mu    sync.Mutex
	lines []string
}

// hear is a hook that keeps what it sees, and answers as next does.
func (h *heard) hear(next hook) hook {
	return func(command string) action {
		if command != "greeting" {
			h.mu.Lock()
			h.lines = append(h.lines, command)
			h.mu.Unlock()
		}
		if next == nil {
			return action{}
		}
		return next(command)
	}
}

// except lists what was heard without these commands.
func (h *heard) except(commands ...string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []string
	for _, line := range h.lines {
		if !slices.Contains(commands, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// A token is bound to a name, so its message is written afresh with the name
// that the upstream knows, whatever else the client put around it.
func TestTokenIsRebuilt(t *testing.T) {
	const box = "pair@example.com"
	long := "good" + strings.Repeat("t", 300)
	user := func(name, token string) string { return "user=" + name + "\x01auth=Bearer " + token + "\x01\x01" }
	gs2 := func(name, token string) string { return "n,a=" + name + ",\x01auth=Bearer " + token + "\x01\x01" }
	for name, c := range map[string]struct {
		mechanism, message string
		want               []string
	}{
		"XOAUTH2":             {"XOAUTH2", user(box+"#alice", "good"), []string{"AUTH XOAUTH2 " + b64(user(box, "good"))}},
		"bearer in capitals":  {"XOAUTH2", strings.Replace(user(box, "good"), "Bearer", "BEARER", 1), []string{"AUTH XOAUTH2 " + b64(user(box, "good"))}},
		"OAUTHBEARER":         {"OAUTHBEARER", gs2(box+"#alice", "good"), []string{"AUTH OAUTHBEARER " + b64(gs2(box, "good"))}},
		"host and port":       {"OAUTHBEARER", "y,a=" + box + ",\x01host=h\x01port=110\x01auth=Bearer good\x01\x01", []string{"AUTH OAUTHBEARER " + b64(gs2(box, "good"))}},
		"= and , are escaped": {"OAUTHBEARER", gs2("pa=3Dir=2C@example.com#alice", "good"), []string{"AUTH OAUTHBEARER " + b64(gs2("pa=3Dir=2C@example.com", "good"))}},
		"longer than 255":     {"XOAUTH2", user(box+"#alice", long), []string{"AUTH XOAUTH2", b64(user(box, long))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box(box, 100)
			var all heard
			w.hook("", all.hear(acceptTokens(box)))
			s := w.dial()
			s.say("AUTH "+c.mechanism+" "+b64(c.message), "+OK*")
			if got := all.except("CAPA"); !slices.Equal(got, c.want) {
				t.Errorf("upstream got %q, want %q", got, c.want)
			}
		})
	}
}

// acceptTokens is an upstream that takes every token; what has no initial
// response is asked for it.
func acceptTokens(box string) hook {
	return func(command string) action {
		switch {
		case command == "CAPA":
			return action{reply: "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n."}
		case command == "AUTH XOAUTH2":
			return action{reply: "+ "}
		case command == "greeting" || command == "QUIT":
			return action{}
		}
		return action{logIn: box}
	}
}

// A token cannot be turned into something else, so what the upstream does not
// take is not offered. Passwords can, so PLAIN and LOGIN always are.
func TestMechanismsOffered(t *testing.T) {
	for name, c := range map[string]struct {
		capabilities []string
		without      bool
		want         string
	}{
		"PLAIN only":   {nil, false, "SASL PLAIN LOGIN"},
		"no SASL":      {nil, true, "SASL PLAIN LOGIN"},
		"a token":      {[]string{"SASL PLAIN XOAUTH2"}, true, "SASL PLAIN LOGIN XOAUTH2"},
		"both tokens":  {[]string{"SASL OAUTHBEARER PLAIN xoauth2"}, true, "SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER"},
		"binding ones": {[]string{"SASL PLAIN SCRAM-SHA-256-PLUS GSSAPI EXTERNAL NTLM"}, true, "SASL PLAIN LOGIN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.NoSASL, s.Capabilities = c.without, c.capabilities })
			if got := w.dial().list("CAPA"); !slices.Contains(got, c.want) {
				t.Errorf("got %q, want %q among it", got, c.want)
			}
		})
	}
}

// What some server reads as the end of a line or of a name is refused here,
// before anything of it has been said upstream.
func TestRefusedCredentialsStayHere(t *testing.T) {
	const box = "pair@example.com"
	w := newWorld(t)
	w.box(box, 100)
	var all heard
	w.hook("", all.hear(nil))
	for _, bad := range []string{"\x00", "\r", "\n", "\rDELE 1", "\nDELE 1", "\t", "\x01", "\x1b", "\x7f"} {
		for where, steps := range map[string][]string{
			"PLAIN name":        {"AUTH PLAIN " + b64("\x00"+box+bad+"\x00"+password)},
			"PLAIN password":    {"AUTH PLAIN", "+ ", b64("\x00" + box + "\x00" + password + bad)},
			"PLAIN identity":    {"AUTH PLAIN " + b64(box+bad+"\x00"+box+"\x00"+password)},
			"LOGIN name":        {"AUTH LOGIN " + b64(box+bad), "+ *", b64(password)},
			"LOGIN password":    {"AUTH LOGIN", "+ *", b64(box), "+ *", b64(password + bad)},
			"USER":              {"USER " + box + bad},
			"another's mailbox": {"AUTH PLAIN " + b64("own@example.com\x00"+box+"\x00"+password)},
		} {
			c := w.dial()
			for i := 0; i+1 < len(steps); i += 2 {
				c.say(steps[i], steps[i+1])
			}
			if got := c.ask(steps[len(steps)-1]); !strings.HasPrefix(got, "-ERR") {
				t.Errorf("%q in %s: %q", bad, where, got)
			}
			c.drop()
		}
	}
	if got := all.except(); len(got) > 0 {
		t.Errorf("upstream got %q", got)
	}
}

// A typing mistake is not the end: the next try may be right.
func TestSecondTry(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	c := w.dial()
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS wrong", "-ERR [AUTH] Authentication failed.")
	c.say("AUTH PLAIN "+b64("\x00"+box+"\x00wrong"), "-ERR [AUTH]*")
	c.say("USER "+box+"#alice", "+OK*")
	c.say("PASS "+password, "+OK*")
	c.say("STAT", "+OK 1 100")
	c.quit()
}

// An upstream that says +OK where it has to ask has let nobody in, and the
// client must not be told that it has.
func TestYesInsteadOfAChallenge(t *testing.T) {
	w := newWorld(t)
	w.hook("", once("AUTH PLAIN", action{reply: "+OK"}))
	c := w.dial()
	long := b64("\x00pair@example.com\x00" + strings.Repeat("p", 300))
	c.say("AUTH PLAIN "+long, "-ERR*")
	c.say("STAT", "-ERR*")
}
