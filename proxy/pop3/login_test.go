package pop3

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailguard/member"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// withoutSASL is a hook for an upstream that knows USER and PASS only.
func withoutSASL(command string) action {
	switch verb, _, _ := strings.Cut(command, " "); verb {
	case "CAPA":
		return action{reply: "+OK\r\nTOP\r\nUIDL\r\nUSER\r\n."}
	case "AUTH":
		return action{reply: "-ERR what?"}
	}
	return action{}
}

// Every way to log in with a password. Each step is what the client says and
// what it gets.
func TestPasswordLogins(t *testing.T) {
	const box, secret = "pair@example.com", "two  blanks "
	plain := b64("\x00" + box + "#alice\x00" + secret)
	for name, steps := range map[string][]string{
		"USER, PASS":             {"USER " + box + "#alice", "+OK*", "PASS " + secret, "+OK*"},
		"lower case":             {"user " + box + "#alice", "+OK*", "pass " + secret, "+OK*"},
		"another user first":     {"USER x", "+OK*", "USER " + box + "#alice", "+OK*", "PASS " + secret, "+OK*"},
		"PLAIN at once":          {"AUTH PLAIN " + plain, "+OK*"},
		"plain at once":          {"auth plain " + plain, "+OK*"},
		"PLAIN, asked":           {"AUTH PLAIN", "+ ", plain, "+OK*"},
		"PLAIN with itself":      {"AUTH PLAIN " + b64(box+"#alice\x00"+box+"#alice\x00"+secret), "+OK*"},
		"PLAIN, cancelled first": {"AUTH PLAIN", "+ ", "*", "-ERR*", "AUTH PLAIN " + plain, "+OK*"},
		"LOGIN":                  {"AUTH LOGIN", "+ " + b64("Username:"), b64(box + "#alice"), "+ " + b64("Password:"), b64(secret), "+OK*"},
		"LOGIN, name at once":    {"AUTH LOGIN " + b64(box+"#alice"), "+ " + b64("Password:"), b64(secret), "+OK*"},
		"unknown first":          {"AUTH CRAM-MD5", "-ERR*", "AUTH GSSAPI", "-ERR*", "AUTH NTLM", "-ERR*", "AUTH PLAIN " + plain, "+OK*"},
	} {
		for kind, h := range map[string]hook{"SASL upstream": nil, "without SASL upstream": withoutSASL} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.upstream.AddUser(box, secret)
				w.upstream.Deliver(box, mail(1, 100))
				w.hook("", h)
				c := w.dial()
				for i := 0; i < len(steps); i += 2 {
					c.say(steps[i], steps[i+1])
				}
				c.say("DELE 1", "+OK*")
				c.quit()
				if f := w.find(box, "u1"); f.Deletions[0].Member != "alice" {
					t.Errorf("the deletion is %q's, want alice's", f.Deletions[0].Member)
				}
				for _, line := range w.received() {
					if strings.Contains(line, "alice") {
						t.Errorf("upstream got %q: what is behind # is not for it", line)
					}
				}
			})
		}
	}
}

func TestLoginsThatFail(t *testing.T) {
	const box = "pair@example.com"
	plain := func(authzid, name, pass string) string {
		return "AUTH PLAIN " + b64(authzid+"\x00"+name+"\x00"+pass)
	}
	for name, steps := range map[string][]string{
		"wrong password":         {"USER " + box, "+OK*", "PASS wrong", "-ERR [AUTH]*"},
		"wrong PLAIN":            {plain("", box, "wrong"), "-ERR [AUTH]*"},
		"no such user":           {"USER nobody@example.com", "+OK*", "PASS x", "-ERR [AUTH]*"},
		"PASS alone":             {"PASS " + password, "-ERR*"},
		"PASS twice":             {"USER " + box, "+OK*", "PASS wrong", "-ERR*", "PASS " + password, "-ERR*"},
		"not base64":             {"AUTH PLAIN !!!", "-ERR*"},
		"loose base64":           {"AUTH PLAIN " + b64("\x00" + box + "\x00" + password)[:10], "-ERR*"},
		"empty":                  {"AUTH PLAIN =", "-ERR*"},
		"a part missing":         {"AUTH PLAIN " + b64(box+"\x00"+password), "-ERR*"},
		"a part too many":        {"AUTH PLAIN " + b64("\x00"+box+"\x00"+password+"\x00"), "-ERR*"},
		"no name":                {plain("", "", password), "-ERR*"},
		"another's mailbox":      {plain("own@example.com", box, password), "-ERR [AUTH]*"},
		"CR in the name":         {plain("", box+"\rDELE 1", password), "-ERR*"},
		"LF in the password":     {plain("", box, password+"\r\nDELE 1"), "-ERR*"},
		"DEL in the name":        {plain("", box+"\x7f", password), "-ERR*"},
		"not UTF-8":              {plain("", box+"\xff", password), "-ERR*"},
		"blank behind the name":  {"USER " + box + " ", "+OK*", "PASS " + password, "-ERR*"},
		"two members":            {"USER " + box + "#alice#bob", "+OK*", "PASS " + password, "-ERR*"},
		"nobody behind #":        {"USER " + box + "#", "+OK*", "PASS " + password, "-ERR*"},
		"percent for at":         {"USER pair%example.com", "+OK*", "PASS " + password, "-ERR*"},
		"cancelled":              {"AUTH LOGIN", "+ *", "*", "-ERR*"},
		"cancelled in the midst": {"AUTH LOGIN", "+ *", b64(box), "+ *", "*", "-ERR*"},
		"token not offered":      {"AUTH XOAUTH2 " + b64("user="+box+"\x01auth=Bearer x\x01\x01"), "-ERR*"},
		"APOP":                   {"APOP " + box + " c4c9334bac560ecc979e58001b3e22fb", "-ERR*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box(box, 100)
			w.box("own@example.com", 100)
			c := w.dial()
			for i := 0; i < len(steps); i += 2 {
				c.say(steps[i], steps[i+1])
			}
			c.say("STAT", "-ERR*")
			if opened := w.received("LIST", "STAT", "UIDL"); len(opened) > 0 {
				t.Errorf("a mailbox was opened: %q", opened)
			}
		})
	}
}

func TestWrongPasswordsText(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	replies := []string{"-ERR [AUTH] Your password has expired", "-ERR [SYS/PERM] Locked", "-ERR [REFERRAL pop://evil/] go away"}
	w.hook("", func(command string) action {
		if strings.HasPrefix(command, "PASS") {
			reply := replies[0]
			replies = replies[1:]
			return action{reply: reply}
		}
		return action{}
	})
	c := w.dial()
	for _, want := range []string{"-ERR [AUTH] Your password has expired", "-ERR [SYS/PERM] Locked", "-ERR go away"} {
		c.say("USER "+box, "+OK*")
		c.say("PASS x", want)
	}
	c.ended() // three failures
}

// Giving up again and again is failing, too.
func TestEndlessAuthenticationEnds(t *testing.T) {
	w := newWorld(t)
	for name, steps := range map[string][]string{
		"cancelled":  {"AUTH PLAIN", "+ ", "*", "-ERR*"},
		"not base64": {"AUTH PLAIN", "+ ", "?", "-ERR*"},
		"unreadable": {"AUTH PLAIN " + b64("x"), "-ERR*"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.dial()
			for range 3 {
				for i := 0; i < len(steps); i += 2 {
					c.say(steps[i], steps[i+1])
				}
			}
			c.ended()
		})
	}
}

// A line beyond 255 octets is not sent: PLAIN then goes in an answer of its
// own, and USER and PASS give way to it.
func TestLongPasswords(t *testing.T) {
	for name, c := range map[string]struct {
		length int
		sasl   bool
		ok     bool
		verbs  []string
	}{
		"PASS fits":        {200, true, true, []string{"USER", "PASS"}},
		"PASS too long":    {3000, true, true, []string{"AUTH"}},
		"and without SASL": {3000, false, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box, secret := "own@example.com", strings.Repeat("p", c.length)
			w.upstream.AddUser(box, secret)
			if !c.sasl {
				w.hook("", withoutSASL)
			}
			s := w.dial()
			s.say("USER "+box, "+OK*")
			if got := s.ask("PASS " + secret); strings.HasPrefix(got, "+OK") != c.ok {
				t.Errorf("got %q", got)
			}
			var verbs []string
			for _, line := range w.received("USER", "PASS", "AUTH") {
				verb, _, _ := strings.Cut(line, " ")
				verbs = append(verbs, verb)
				if len(line) > maxUserLine {
					t.Errorf("upstream got a line of %d octets", len(line))
				}
			}
			if !slices.Equal(verbs, c.verbs) {
				t.Errorf("upstream got %q, want %q", verbs, c.verbs)
			}
		})
	}
}

func withTokens(command string) action {
	verb, rest, _ := strings.Cut(command, " ")
	if verb == "CAPA" {
		return action{reply: "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN XOAUTH2 OAUTHBEARER\r\n."}
	}
	mechanism, message, _ := strings.Cut(rest, " ")
	token, _ := base64.StdEncoding.DecodeString(message)
	switch {
	case verb == "AUTH" && mechanism != "PLAIN" && strings.Contains(string(token), "Bearer good"):
		return action{logIn: "pair@example.com"}
	case verb == "AUTH" && mechanism != "PLAIN":
		return action{reply: "+ " + b64(`{"status":"401"}`)}
	case command == "" || command == "AQ==":
		return action{reply: "-ERR [AUTH] token expired"}
	}
	return action{}
}

func TestTokens(t *testing.T) {
	const box = "pair@example.com"
	xoauth2 := func(token string) string {
		return b64("user=" + box + "#alice\x01auth=Bearer " + token + "\x01\x01")
	}
	bearer := func(token string) string {
		return b64("n,a=" + box + "#alice,\x01host=x\x01auth=Bearer " + token + "\x01\x01")
	}
	for name, steps := range map[string][]string{
		"XOAUTH2":              {"AUTH XOAUTH2 " + xoauth2("good"), "+OK*"},
		"XOAUTH2, asked":       {"AUTH XOAUTH2", "+ ", xoauth2("good"), "+OK*"},
		"XOAUTH2 refused":      {"AUTH XOAUTH2 " + xoauth2("bad"), "+ " + b64(`{"status":"401"}`), "=", "-ERR [AUTH] token expired"},
		"OAUTHBEARER":          {"AUTH OAUTHBEARER " + bearer("good"), "+OK*"},
		"OAUTHBEARER refused":  {"AUTH OAUTHBEARER " + bearer("bad"), "+ " + b64(`{"status":"401"}`), "AQ==", "-ERR [AUTH] token expired"},
		"refused, cancelled":   {"AUTH OAUTHBEARER " + bearer("bad"), "+ *", "*", "-ERR*"},
		"refused, lost":        {"AUTH OAUTHBEARER " + bearer("bad"), "+ *"},
		"names nobody":         {"AUTH OAUTHBEARER " + b64("n,,\x01auth=Bearer good\x01\x01"), "-ERR*"},
		"no token":             {"AUTH XOAUTH2 " + b64("user="+box+"\x01\x01"), "-ERR*"},
		"not a bearer's":       {"AUTH XOAUTH2 " + b64("user="+box+"\x01auth=Basic good\x01\x01"), "-ERR*"},
		"another field":        {"AUTH XOAUTH2 " + b64("user="+box+"\x01auth=Bearer good\x01x=y\x01\x01"), "-ERR*"},
		"line in the token":    {"AUTH XOAUTH2 " + b64("user="+box+"\x01auth=Bearer good\r\nDELE 1\x01\x01"), "-ERR*"},
		"channel binding":      {"AUTH OAUTHBEARER " + b64("p=tls,a="+box+",\x01auth=Bearer good\x01\x01"), "-ERR*"},
		"refused without mind": {"AUTH XOAUTH2 " + xoauth2("bad"), "+ *", b64("anything"), "*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.box(box, 100)
			w.hook("", withTokens)
			c := w.dial()
			for i := 0; i < len(steps); i += 2 {
				c.say(steps[i], steps[i+1])
			}
			if steps[len(steps)-1] != "+OK*" {
				if opened := w.received("LIST", "UIDL"); len(opened) > 0 {
					t.Errorf("a mailbox was opened: %q", opened)
				}
				return
			}
			c.say("DELE 1", "+OK*")
			c.quit()
			w.has(box, "u1")
		})
	}
}

// An upstream that never has enough is given up.
func TestEndlessChallenges(t *testing.T) {
	w := newWorld(t)
	w.hook("", func(command string) action {
		if strings.HasPrefix(command, "USER") || strings.HasPrefix(command, "CAPA") || command == "greeting" {
			return action{}
		}
		return action{reply: "+ " + b64("more")}
	})
	c := w.dial()
	c.send("AUTH PLAIN " + b64("\x00pair@example.com\x00x") + "\r\n")
	for range maxRounds {
		c.get("AUTH", "+ *")
		c.send(b64("x") + "\r\n")
	}
	c.get("AUTH", "-ERR*")
	c.say("STAT", "-ERR*")
}

func TestAuthorizationIdentity(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.server.AuthorizationIdentity = true })
	w.box("pair@example.com", 100)
	var sent string
	w.hook("", func(command string) action {
		if message, ok := strings.CutPrefix(command, "AUTH PLAIN "); ok {
			decoded, _ := base64.StdEncoding.DecodeString(message)
			sent = string(decoded)
			return action{logIn: "pair@example.com"}
		}
		return action{}
	})
	c := w.dial()
	c.say("AUTH PLAIN "+b64("pair@example.com\x00alice\x00x"), "+OK*")
	c.say("DELE 1", "+OK*")
	c.quit()
	if sent != "pair@example.com\x00alice\x00x" {
		t.Errorf("upstream got %q", sent)
	}
	if f := w.find("pair@example.com", "u1"); f.Deletions[0].Member != "alice" {
		t.Errorf("the deletion is %q's", f.Deletions[0].Member)
	}
}

func TestInUse(t *testing.T) {
	for name, c := range map[string]struct {
		wait  time.Duration
		times int
		want  string
	}{
		"waited for": {5 * time.Second, 1, "+OK*"},
		"given up":   {0, 1, "-ERR [IN-USE]*"},
		"in the end": {1500 * time.Millisecond, 9, "-ERR [IN-USE]*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.limits.LockWait = c.wait })
			box := w.box("pair@example.com", 100)
			left := c.times
			w.hook("", func(command string) action {
				if strings.HasPrefix(command, "PASS") && left > 0 {
					left--
					return action{reply: "-ERR [in-use] locked"}
				}
				return action{}
			})
			s := w.dial()
			s.say("USER "+box+"#alice", "+OK*")
			s.say("PASS "+password, c.want)
		})
	}
}

func TestXCLIENT(t *testing.T) {
	for name, greeting := range map[string]string{"announced": "+OK [XCLIENT] ready", "not announced": "+OK ready"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box := w.box("pair@example.com", 100)
			w.hook("", func(command string) action {
				switch verb, _, _ := strings.Cut(command, " "); verb {
				case "greeting":
					return action{reply: greeting}
				case "XCLIENT":
					return action{reply: "+OK Updated"}
				}
				return action{}
			})
			c := w.open(box, "alice")
			port := c.conn.LocalAddr().String()
			c.quit()
			var want []string
			if name == "announced" {
				want = []string{"XCLIENT ADDR=127.0.0.1 PORT=" + port[strings.LastIndex(port, ":")+1:]}
			}
			if got := w.received("XCLIENT"); !slices.Equal(got, want) {
				t.Errorf("upstream got %q, want %q", got, want)
			}
		})
	}
}

// The forms of a login name: whose mailbox, by whom, and what goes upstream.
func TestLoginForms(t *testing.T) {
	for name, c := range map[string]struct{ login, upstream, member string }{
		"ours":         {"pair@example.com#Alice", "pair@example.com", "alice"},
		"its domain":   {"pair@example.com#alice@example.com", "pair@example.com", "alice"},
		"Dovecot's":    {"pair@example.com*alice", "pair@example.com*alice", "alice"},
		"Exchange's":   {"alice@example.com/pair", "alice@example.com/pair", "alice"},
		"Windows'":     {`EXAMPLE\alice\pair`, `EXAMPLE\alice\pair`, "alice"},
		"in capitals":  {"PAIR@EXAMPLE.COM#alice", "PAIR@EXAMPLE.COM", "alice"},
		"nobody's own": {"pair@example.com", "pair@example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(s *setup) { s.members.LoginDomains = map[string]string{"example": "example.com"} })
			w.box("pair@example.com", 100)
			w.hook("", func(command string) action {
				if strings.HasPrefix(command, "PASS") {
					return action{logIn: "pair@example.com"}
				}
				return action{}
			})
			s := w.dial()
			s.say("USER "+c.login, "+OK*")
			s.say("PASS "+password, "+OK*")
			s.say("DELE 1", "+OK*")
			s.quit()
			if got := w.received("USER"); !slices.Equal(got, []string{"USER " + c.upstream}) {
				t.Errorf("upstream got %q, want %q", got, c.upstream)
			}
			f := w.find("pair@example.com", "u1")
			if fmt.Sprint(f.Deletions[0].Member) != c.member || f.Mailbox != member.Mailbox("pair@example.com") {
				t.Errorf("deleted by %q in %s, want %q", f.Deletions[0].Member, f.Mailbox, c.member)
			}
		})
	}
}
