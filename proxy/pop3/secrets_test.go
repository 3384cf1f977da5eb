package pop3

import (
	"encoding/base64"
	"strings"
	"testing"
)

// secret is looked for in the log, so it is like nothing else.
const secret = "Zk9-secret-Xq7"

// steps are commands and the answers to them.
type steps []string

func (s steps) run(c *client) {
	for i := 0; i+1 < len(s); i += 2 {
		c.say(s[i], s[i+1])
	}
}

// Passwords and tokens are in the log at no level, whatever becomes of them.
func TestNoSecretsInTheLog(t *testing.T) {
	const box = "pair@example.com"
	plain := b64("\x00" + box + "\x00" + secret)
	token := b64("user=" + box + "\x01auth=Bearer " + secret + "\x01\x01")
	for name, s := range map[string]steps{
		"right":              {"USER " + box, "+OK*", "PASS " + secret, "+OK*"},
		"right, PLAIN":       {"AUTH PLAIN " + plain, "+OK*"},
		"right, LOGIN":       {"AUTH LOGIN " + b64(box), "+ *", b64(secret), "+OK*"},
		"wrong":              {"USER " + box, "+OK*", "PASS " + secret + "x", "-ERR*"},
		"wrong, PLAIN":       {"AUTH PLAIN " + b64("\x00"+box+"\x00"+secret+"x"), "-ERR*"},
		"without USER":       {"PASS " + secret, "-ERR*"},
		"behind the login":   {"AUTH PLAIN " + plain, "+OK*", "PASS " + secret, "-ERR*"},
		"no such command":    {"PASSWORD " + secret, "-ERR*"},
		"no verb":            {secret, "-ERR*"},
		"instead of a user":  {"USER " + box, "+OK*", "PASS", "-ERR*", secret, "-ERR*"},
		"control characters": {"AUTH PLAIN " + b64("\x00"+box+"\x00"+secret+"\x01"), "-ERR*"},
		"bad base64":         {"AUTH PLAIN " + secret, "-ERR*"},
		"bare LF":            {"USER " + box, "+OK*", "PASS " + secret + "\nQUIT", "-ERR*"},
		"token":              {"AUTH XOAUTH2 " + token, "-ERR*"},
		"token, no name":     {"AUTH XOAUTH2 " + b64("auth=Bearer "+secret+"\x01\x01"), "-ERR*"},
		"another's mailbox":  {"AUTH PLAIN " + b64("x@example.com\x00"+box+"\x00"+secret), "-ERR*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box(box, 100)
			w.upstream.AddUser(box, secret)
			c := w.dial()
			s.run(c)
			c.drop()
			w.settle()
			noSecret(t, w.log.String())
		})
	}
}

// Some servers repeat what they did not understand. What they repeat must not
// get into the log by way of their answer.
func TestNoSecretsInTheLogFromAnEcho(t *testing.T) {
	const box = "pair@example.com"
	for name, c := range map[string]struct{ verb, before, login string }{
		"refusal":         {"PASS", "-ERR Unknown command: ", "PASS " + secret},
		"nonsense":        {"PASS", "500 what? ", "PASS " + secret},
		"of PLAIN":        {"AUTH", "-ERR Unknown command: ", "AUTH PLAIN " + b64("\x00"+box+"\x00"+secret)},
		"nonsense, PLAIN": {"AUTH", "500 what? ", "AUTH PLAIN " + b64("\x00"+box+"\x00"+secret)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hook("", func(command string) action {
				if strings.HasPrefix(command, c.verb) {
					return action{reply: c.before + command}
				}
				return action{}
			})
			s := w.dial()
			s.say("USER "+box, "+OK*")
			s.say(c.login, "-ERR*")
			s.drop()
			w.settle()
			noSecret(t, w.log.String())
		})
	}
}

// noSecret fails if a log has the secret in it, as it is or in one of the
// three forms that base64 gives it.
func noSecret(tb testing.TB, log string) {
	tb.Helper()
	if !strings.Contains(log, "session ended") {
		tb.Fatalf("this is no log of a session: %q", log)
	}
	for shift := range 3 {
		// Without the octets at its ends, which depend on what is beside them.
		coded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		if strings.Contains(log, coded[4:12]) {
			tb.Errorf("the secret is in the log as %q:\n%s", coded, log)
		}
	}
	if strings.Contains(log, secret) {
		tb.Errorf("the secret is in the log:\n%s", log)
	}
}
