package pop3

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// attacks are octets that some server takes for a deletion, or for the end of
// a session in which there was one, and that are not one.
var attacks = map[string]string{
	"bare LF":                  "DELE 1\nQUIT\n",
	"bare CR":                  "DELE 1\rQUIT\r",
	"bare CR, then CRLF":       "NOOP\rDELE 1\r\n",
	"CR CR LF":                 "DELE 1\r\r\n",
	"NUL behind":               "DELE 1\x00\r\n",
	"NUL in front":             "\x00DELE 1\r\n",
	"NUL within":               "DE\x00LE 1\r\n",
	"text behind NUL":          "NOOP\x00\r\nDELE 1\x00x\r\n",
	"blank in front":           " DELE 1\r\n",
	"TAB in front":             "\tDELE 1\r\n",
	"TAB between":              "DELE\t1\r\n",
	"two blanks":               "DELE  1\r\n",
	"blank behind":             "DELE 1 \r\n",
	"two numbers":              "DELE 1 2\r\n",
	"plus":                     "DELE +1\r\n",
	"minus":                    "DELE -1\r\n",
	"leading zero":             "DELE 01\r\n",
	"zero":                     "DELE 0\r\n",
	"letter behind":            "DELE 1x\r\n",
	"2^32 and 1":               "DELE 4294967297\r\n",
	"2^64 and 1":               "DELE 18446744073709551617\r\n",
	"set":                      "DELE 1:3\r\n",
	"star":                     "DELE *\r\n",
	"other digits":             "DELE \xd9\xa1\r\n",
	"full-width":               "DELE \xef\xbc\x91\r\n",
	"no number":                "DELE\r\n",
	"no line end":              "DELE 1",
	"half a line end":          "DELE 1\r",
	"QUIT without line end":    "QUIT",
	"QUIT with CR":             "QUIT\r",
	"QUIT with argument":       "QUIT now\r\n",
	"overlong":                 "NOOP " + strings.Repeat("x", 9000) + "\r\n",
	"overlong, DELE in pieces": "NOOP " + strings.Repeat("x", 8187) + "DELE 1\r\n",
	"endless":                  strings.Repeat("DELE 1 ", 20_000),
	"HTTP":                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nDELE=1\r\n",
	"SMTP":                     "EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n",
	"IMAP":                     "a STORE 1 +FLAGS (\\Deleted)\r\na EXPUNGE\r\n",
	"TLS":                      "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x00", 64),
	"XTND":                     "XTND XMIT\r\nXDELE 1\r\nLAST\r\n",
	"TOP with sign":            "TOP 1 -1\r\nTOP +1 0\r\nTOP 1  0\r\n",
	"literal":                  "DELE {1+}\r\n",
	"quoted":                   "DELE \"1\"\r\n",
	"8-bit":                    "\xff\xfe\xfd\r\n",
	"empty lines":              "\r\n\r\n\r\n",
	"argument":                 "STAT 1\r\nRSET 1\r\nNOOP x\r\n",
	"LANG":                     "LANG\x01\r\nLANG en\x01\r\n",
}

// None of them deletes anything, and what reached the upstream is what the
// guard may say.
func TestAttacks(t *testing.T) {
	w := newWorld(t, withRules, func(s *setup) { s.Capabilities = []string{"LANG"} })
	for name, octets := range attacks {
		for _, kind := range []string{"pair", "mixed", "own", "watch"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				box := kind + strings.Map(onlyLetters, name) + "@example.com"
				w.box(box, 100, 200)
				c, ok := w.in(t).login(box, "alice")
				if !ok {
					t.Fatal("no login")
				}
				answers := c.attack(octets)
				for line := range strings.Lines(answers) {
					if !strings.HasPrefix(line, "-ERR") && !strings.HasPrefix(line, "+OK") {
						t.Errorf("answer %q", line)
					}
				}
				if left := w.upstream.UniqueIDs(box); !slices.Equal(left, []string{"u1", "u2"}) {
					t.Errorf("upstream has %v behind %q", left, answers)
				}
			})
		}
		t.Run("before the login/"+name, func(t *testing.T) {
			t.Parallel()
			c := w.in(t).connect()
			c.line()
			for line := range strings.Lines(c.attack(octets)) {
				if !strings.HasPrefix(line, "-ERR") && !strings.HasPrefix(line, "+OK Bye") {
					t.Errorf("answer %q", line)
				}
			}
		})
	}
	t.Cleanup(func() { checkReceived(t, w.received()) })
}

func onlyLetters(r rune) rune {
	if r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' {
		return r | 0x20
	}
	return -1
}

// attack sends octets and the end of the stream, and returns all answers.
func (c *client) attack(octets string) string {
	_, _ = io.WriteString(c.conn, octets) // the other side may have had enough
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	answers, _ := io.ReadAll(c.r)
	return string(answers)
}

// checkReceived fails unless everything that reached the upstream is in the
// guard's own words.
func checkReceived(tb testing.TB, lines []string) {
	tb.Helper()
	for _, line := range lines {
		if strings.HasPrefix(line, "XCLIENT ") {
			continue
		}
		cmd, err := parseLine([]byte(line))
		if err != nil || cmd.String() != line {
			tb.Errorf("upstream got %q, which is not canonical: %v", line, err)
		}
	}
}

// A browser that is made to send mail commands is found out before they come.
func TestBrowser(t *testing.T) {
	w := newWorld(t)
	box := w.box("own@example.com", 100)
	c := w.dial()
	got := c.attack("POST / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\nUSER " + box + "\r\nPASS " + password + "\r\nDELE 1\r\nQUIT\r\n")
	if strings.Contains(got, "+OK") {
		t.Errorf("answers %q", got)
	}
	w.has(box, "u1")
}

func TestTooManyBadCommands(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	for name, c := range map[string]struct {
		open  func() *client
		limit int
	}{
		"before the login": {w.dial, maxBadBeforeLogin},
		"behind the login": {func() *client { return w.open(box, "alice") }, maxBad},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.open()
			for range c.limit - 1 {
				s.say("DELE one", "-ERR*")
			}
			s.say("CAPA", "+OK*") // a good one makes up for it
			s.rest()
			for range c.limit {
				s.say("WHAT", "-ERR*")
			}
			s.ended()
		})
	}
}

func TestWrongState(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100)
	for _, command := range []string{"STAT", "LIST", "UIDL", "RETR 1", "TOP 1 0", "DELE 1", "RSET", "NOOP", "LANG"} {
		c := w.dial()
		c.say(command, "-ERR*")
	}
	if got := w.received(); len(got) > 0 {
		t.Errorf("upstream got %q", got)
	}
	c := w.open(box, "alice")
	for _, command := range []string{"USER x", "PASS x", "AUTH PLAIN", "STLS", "UTF8"} {
		c.say(command, "-ERR*")
	}
	c.quit()
}

// An overlong answer within an authentication ends the session, too: its rest
// would be read as commands.
func TestOverlongAnswerEndsTheSession(t *testing.T) {
	w := newWorld(t)
	for _, steps := range [][]string{{"AUTH PLAIN"}, {"AUTH LOGIN"}, {"AUTH LOGIN " + b64("pair@example.com")}} {
		c := w.dial()
		c.say(steps[0], "+ *")
		got := c.attack(strings.Repeat("A", 3*maxLoginLine) + "\r\nUSER x\r\n")
		if strings.Contains(got, "+OK") {
			t.Errorf("%q: answer %q", steps, got)
		}
	}
}
