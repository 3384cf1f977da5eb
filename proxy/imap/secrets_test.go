package imap

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"mailguard/demo/upstream"
)

// secret is looked for in the log, so it is like nothing else.
const secret = "Zk9-secret-Xq7"

// Passwords and tokens are in the log at no level, whatever becomes of them.
func TestNoSecretsInTheLog(t *testing.T) {
	const box = "allow@example.com"
	plain := b64("\x00" + box + "\x00" + secret)
	token := b64("user=" + box + "\x01auth=Bearer " + secret + "\x01\x01")
	for name, lines := range map[string][]string{
		"right":              {"LOGIN " + box + " " + secret},
		"right, literal":     {"LOGIN " + box + " " + lit(secret)},
		"right, waited for":  {fmt.Sprintf("LOGIN %s {%d}", box, len(secret)), secret},
		"right, PLAIN":       {"AUTHENTICATE PLAIN " + plain},
		"right, LOGIN":       {"AUTHENTICATE LOGIN", b64(box), b64(secret)},
		"wrong":              {"LOGIN " + box + " " + secret + "x"},
		"wrong, PLAIN":       {"AUTHENTICATE PLAIN", b64("\x00" + box + "\x00" + secret + "x")},
		"one argument":       {"LOGIN " + secret},
		"three":              {"LOGIN " + box + " " + secret + " x"},
		"no such command":    {"PASSWORD " + secret},
		"no command":         {secret},
		"control characters": {"AUTHENTICATE PLAIN " + b64("\x00"+box+"\x00"+secret+"\x01")},
		"bad base64":         {"AUTHENTICATE PLAIN " + secret},
		"bare LF":            {"LOGIN " + box + " " + secret + "\nx LOGOUT"},
		"token":              {"AUTHENTICATE XOAUTH2 " + token},
		"token, no name":     {"AUTHENTICATE XOAUTH2 " + b64("auth=Bearer "+secret+"\x01\x01")},
		"another's mailbox":  {"AUTHENTICATE PLAIN " + b64("x@example.com\x00"+box+"\x00"+secret)},
		"no mechanism":       {"AUTHENTICATE " + secret + " " + plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box(box, 100)
			w.upstream.AddUser(box, secret)
			c := w.dial(t)
			if got := c.converse(lines); strings.HasPrefix(name, "right") != strings.HasPrefix(got, "OK ") && name != "token" {
				t.Errorf("%q", got)
			}
			c.send("y LOGIN " + box + " " + secret + "\r\n") // behind the login
			c.read()
			c.drop()
			w.settle()
			noSecret(t, w.log.String())
		})
	}
}

// Some servers repeat what they did not understand. What they repeat must not
// get into the log by way of their answer.
func TestNoSecretsInTheLogFromAnEcho(t *testing.T) {
	const box = "allow@example.com"
	for name, answer := range map[string]string{
		"refusal": "{tag} NO I do not understand ", "bad": "{tag} BAD Unknown: ", "nonsense": "what? ", "goodbye": "* BYE what? ",
		"alert": "* OK [ALERT] you said ", "code": "{tag} NO [X ", "bad untagged": "* BAD ",
	} {
		for _, without := range []string{"", "AUTH=PLAIN"} {
			t.Run(name+" "+without, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, without1(without))
				w.box(box, 100)
				w.dial(t).drop() // the capabilities are known
				w.on("", func(command string) upstream.Action {
					if strings.HasPrefix(command, "LOGIN") || strings.HasPrefix(command, "AUTH") {
						return upstream.Action{Answer: answer + command + "]", CloseAfter: false}
					}
					return upstream.Action{}
				})
				c := w.dial(t)
				c.say("LOGIN "+box+" "+secret, "NO*")
				c.drop()
				w.settle()
				noSecret(t, w.log.String())
			})
		}
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
