package pop3

import (
	"slices"
	"strings"
	"testing"
)

// endingsOfNothing come behind an accepted DELE. None of them is QUIT, so the
// deletion is void (RFC 1939, 6).
var endingsOfNothing = map[string]string{
	"no line end":       "QUIT",
	"bare LF":           "QUIT\n",
	"bare CR":           "QUIT\r",
	"CR CR LF":          "QUIT\r\r\n",
	"NUL in front":      "\x00QUIT\r\n",
	"NUL within":        "QU\x00IT\r\n",
	"NUL behind":        "QUIT\x00\r\n",
	"blank in front":    " QUIT\r\n",
	"TAB in front":      "\tQUIT\r\n",
	"blank behind":      "QUIT \r\n",
	"TAB behind":        "QUIT\t\r\n",
	"argument":          "QUIT now\r\n",
	"in one line":       "NOOP\rQUIT\r\n",
	"behind bare LF":    "NOOP\nQUIT \r\n",
	"8-bit":             "QUIT\xff\r\n",
	"full-width":        "\xef\xbc\xb1UIT\r\n",
	"behind too much":   strings.Repeat("x", 9000) + "\r\nQUIT\r\n",
	"behind many bad":   strings.Repeat("WHAT\r\n", maxBad) + "QUIT\r\n",
	"an argument's":     "NOOP " + strings.Repeat("x", maxLine) + "QUIT\r\n",
	"nothing":           "",
	"in another's verb": "XQUIT\r\nQUITX\r\nLAST\r\nXTND\r\nXDELE 1\r\nAPOP a b\r\nEHLO x\r\n",
}

// A deletion counts once QUIT came, in full and alone in its line.
func TestWhatIsNotQuit(t *testing.T) {
	w := newWorld(t)
	for name, octets := range endingsOfNothing {
		for _, kind := range []string{"pair", "own", "watch"} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				box := kind + "-not-quit-" + strings.Map(onlyLetters, name) + "@example.com"
				w.box(box, 100, 200)
				c, ok := w.in(t).login(box, "alice")
				if !ok {
					t.Fatal("no login")
				}
				answers := c.attack("DELE 1\r\n" + octets)
				onlyStatusLines(t, answers)
				if !strings.HasPrefix(answers, "+OK") || strings.Contains(answers, "Bye") {
					t.Errorf("answers %q, want the deletion taken and no goodbye", answers)
				}
				if left := w.upstream.UniqueIDs(box); !slices.Equal(left, []string{"u1", "u2"}) {
					t.Errorf("upstream has %v behind %q", left, answers)
				}
			})
		}
	}
	t.Cleanup(func() { checkReceived(t, w.received()) })
}

// onlyStatusLines fails if a client got anything but whole status lines.
func onlyStatusLines(tb testing.TB, answers string) {
	tb.Helper()
	for line := range strings.Lines(answers) {
		body, whole := strings.CutSuffix(line, "\r\n")
		status := strings.HasPrefix(line, "-ERR") || strings.HasPrefix(line, "+OK")
		if !whole || !status || strings.ContainsAny(body, "\r\n\x00") {
			tb.Errorf("answer %.200q", line)
		}
	}
}

// Where policy decides, no DELE goes upstream before a commit, and none at all
// for what is only deferred. Before the login nothing goes upstream but a
// question about what it can do.
func TestAttacksReachNobody(t *testing.T) {
	w := newWorld(t)
	for name, octets := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := "pair-reach-" + strings.Map(onlyLetters, name) + "@example.com"
			w.box(box, 100, 200)
			early := w.in(t).connect()
			early.line()
			onlyStatusLines(t, early.attack(octets))
			if c, ok := w.in(t).login(box, "alice"); ok {
				onlyStatusLines(t, c.attack("DELE 1\r\nNOOP\r\n"+octets))
			}
			if left := w.upstream.UniqueIDs(box); !slices.Equal(left, []string{"u1", "u2"}) {
				t.Errorf("upstream has %v", left)
			}
		})
	}
	t.Cleanup(func() {
		checkReceived(t, w.received())
		if got := w.received("DELE"); len(got) > 0 {
			t.Errorf("upstream got %q", got)
		}
	})
}

// What stands behind a login in the same packet is run once, within the
// session, and not taken for the login's own.
func TestPipelinedGarbageAroundALogin(t *testing.T) {
	w := newWorld(t)
	box := w.box("pair@example.com", 100, 200)
	login := "USER " + box + "#alice\r\nPASS " + password + "\r\n"
	for name, c := range map[string]struct {
		octets string
		yes    int // so many +OK
	}{
		"all in one":        {login + "STAT\r\nDELE 1\r\nRSET\r\nQUIT\r\n", 6},
		"garbage behind":    {login + "DELE +1\r\n\x00\r\nDELE 1\nSTAT\r\n", 3},
		"garbage in front":  {"DELE 1\r\nSTAT\r\n" + login + "STAT\r\n", 3},
		"PASS in two lines": {"USER " + box + "\r\nPASS corr\nect horse\r\nSTAT\r\n", 1},
		"commands as SASL":  {"AUTH PLAIN\r\nDELE 1\r\nQUIT\r\n", 1},
		"deletion as SASL":  {"AUTH LOGIN " + b64(box) + "\r\n" + b64("x\r\nDELE 1") + "\r\nDELE 1\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.dial()
			answers := s.attack(c.octets)
			if got := strings.Count(answers, "+OK"); got != c.yes {
				t.Errorf("%d times yes, want %d: %q", got, c.yes, answers)
			}
			w.has(box, "u1", "u2")
		})
	}
	if got := w.received("DELE"); len(got) > 0 {
		t.Errorf("upstream got %q", got)
	}
}
